from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from qagate.domain.agreement import kappa, share


def pairs(table):
    """(word, word) pairs of a square table of counts."""
    return [(str(i), str(j)) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn(seed):
    random = np.random.default_rng(seed)
    one = random.integers(0, 3, 80)
    other = np.where(random.random(80) < 0.6, one, random.integers(0, 3, 80))
    found = kappa([(str(a), str(b)) for a, b in zip(one, other, strict=True)])
    assert found is not None
    assert found.value == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


def test_kappa_by_hand():
    # same = 70/100, chance = 0.5 * 0.6 + 0.5 * 0.4 = 0.5 → 0.2 / 0.5 = 0.4
    found = kappa(pairs([[40, 10], [20, 30]]))
    assert found is not None
    assert found.value == pytest.approx(0.4)
    # A = .4 (.5 - 1.1 * .3)^2 + .3 (.5 - .9 * .3)^2, B = .09 (.1 (.6 + .5)^2 + .2 (.4 + .5)^2), C = (.35 - 1 + .7)^2
    a = 0.4 * (0.5 - 1.1 * 0.3) ** 2 + 0.3 * (0.5 - 0.9 * 0.3) ** 2
    b = 0.09 * (0.1 * (0.6 + 0.5) ** 2 + 0.2 * (0.4 + 0.5) ** 2)
    half = 1.959964 * math.sqrt((a + b - 0.05**2) / (100 * 0.5**4))
    assert (found.low, found.high) == pytest.approx((0.4 - half, 0.4 + half))


def test_the_interval_of_kappa_covers():
    random = np.random.default_rng(7)
    table = np.array([[0.5, 0.1], [0.1, 0.3]])
    truth = (0.8 - (0.6 * 0.6 + 0.4 * 0.4)) / (1 - (0.6 * 0.6 + 0.4 * 0.4))
    inside = 0
    for _ in range(400):
        found = kappa(pairs(random.multinomial(150, table.ravel()).reshape(2, 2)))
        assert found is not None
        inside += found.low <= truth <= found.high
    assert 365 <= inside <= 395  # 95 % of 400 = 380, +- 3.4 standard deviations of 4.36


@pytest.mark.parametrize(("table", "value"), [([[5, 0], [0, 5]], 1.0), ([[0, 5], [5, 0]], -1.0)])
def test_ends_of_kappa(table, value):
    found = kappa(pairs(table))
    assert found is not None
    assert found.value == value


def test_no_kappa():
    assert kappa([]) is None
    assert kappa([("good", "good")] * 9) is None  # chance alone explains it


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 20, 0.0, 0.1611),  # z^2 / (n + z^2) = 3.8415 / 23.8415
        (10, 20, 0.2993, 0.7007),
        (1, 50, 0.0035, 0.1050),
    ],
)
def test_share(hits, count, low, high):
    found = share(hits, count)
    assert found is not None
    assert (found.value, found.count) == (hits / count, count)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_share_of_nothing():
    assert share(0, 0) is None
