from __future__ import annotations

import numpy as np

from qagate.train import boost

FEW = boost.Recipe(trees=60, rate=0.15, deepest=4, leaf=5)


def made(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quality by the product of two features of twenty, which no tree of one split can see."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 20)).astype(np.float32)
    return x, np.sign(x[:, 3] * x[:, 7]) + 0.1 * random.normal(size=count), np.arange(count) % 10


def test_it_learns_what_features_say_together() -> None:
    x, y, groups = made(1500, 0)
    new, truth, _ = made(400, 1)
    fitted = boost.fit(x, y, groups, FEW)
    assert np.corrcoef(fitted(new), truth)[0, 1] > 0.7
    assert len(fitted.root) == 60
    assert set(np.unique(fitted.feature)) <= {-1, *range(20)}


def test_one_seed_is_one_result() -> None:
    x, y, groups = made(200, 0)
    first, again, other = (boost.fit(x, y, groups, FEW, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.value, again.value)
    assert np.array_equal(first.threshold, again.threshold)
    assert not np.array_equal(first(x), other(x))


def test_where_nothing_can_be_split_the_mean_is_said() -> None:
    x = np.zeros((40, 3), np.float32)
    y = np.linspace(0.0, 1.0, 40)
    fitted = boost.fit(x, y, np.arange(40) % 4, boost.Recipe(trees=20))
    assert np.allclose(fitted(x[:2]), 0.5, atol=0.1)


def test_nodes_answer_as_binned_features_did() -> None:
    """Values on the edge between two bins go the same way in growing and in use."""
    x = np.repeat(np.arange(8, dtype=np.float32), 30)[:, None]
    y = (x[:, 0] > 4).astype(float)
    fitted = boost.fit(x, y, np.arange(240) % 6, boost.Recipe(trees=80, rate=0.3, features=1.0))
    assert np.abs(fitted(x) - y).max() < 0.05
