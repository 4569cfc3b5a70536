from __future__ import annotations

import numpy as np
import pytest

from qagate.train import forest, metrics


def _data(items: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(items, 12)).astype(np.float32)
    return x, np.abs(x[:, 0]) + x[:, 1] * x[:, 2]


def test_it_learns_what_no_line_can() -> None:
    x, y = _data(400, 0)
    fresh, truth = _data(400, 1)
    found = forest.fit(x, y, np.arange(400) // 20, trees=60, tried=0.7)
    assert metrics.srcc(found(fresh), truth) > 0.7
    # predictions for groups a tree has not seen are as good as for fresh items, no better
    assert metrics.rmse(found.out_of_group, y) == pytest.approx(metrics.rmse(found(fresh), truth), rel=0.2)


def test_an_honest_prediction_never_saw_its_own_group() -> None:
    # labels are the group's own and have nothing to do with x: remembering them would look like skill
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 10)
    x = (random.normal(size=(30, 5))[groups] + 0.01 * random.normal(size=(300, 5))).astype(np.float32)
    y = random.normal(size=30)[groups]
    found = forest.fit(x, y, groups, trees=60)
    assert metrics.srcc(found(x), y) > 0.8
    assert abs(metrics.srcc(found.out_of_group, y)) < 0.5


@pytest.mark.parametrize("items", [1, 2, 3, 10])
def test_few_or_equal_items_are_no_trouble(items: int) -> None:
    x = np.ones((items, 3), np.float32)
    found = forest.fit(x, np.arange(items, dtype=float), np.arange(items), trees=5)
    assert np.isfinite(found(x)).all()


def test_same_seed_same_forest() -> None:
    x, y = _data(50, 3)
    first, again = (forest.fit(x, y, np.arange(50), trees=5, seed=7) for _ in range(2))
    assert np.array_equal(first.threshold, again.threshold)


def test_only_the_named_columns_are_looked_at() -> None:
    x, y = _data(80, 4)
    found = forest.fit(x, y, np.arange(80), trees=5, columns=np.array([1, 7]), share=1.0)
    assert set(found.feature) <= {-1, 1, 7}
