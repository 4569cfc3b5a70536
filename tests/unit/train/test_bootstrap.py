from __future__ import annotations

import numpy as np

from qagate.train import bootstrap, metrics


def _data(groups: int, each: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    reference = random.normal(size=groups * each)
    return reference + noise * random.normal(size=groups * each), reference, np.repeat(np.arange(groups), each)


def test_the_interval_holds_the_figure_and_is_repeatable() -> None:
    predicted, reference, groups = _data(20, 5, 0.7)
    found = bootstrap.intervals({"srcc": metrics.srcc}, predicted, reference, groups, resamples=300)["srcc"]
    again = bootstrap.intervals({"srcc": metrics.srcc}, predicted, reference, groups, resamples=300)["srcc"]
    assert found == again
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_mean_of_groups_has_the_textbook_width() -> None:
    # 100 groups of 4 equal items: SE of the mean is 1/sqrt(100) = 0.1, so 95 % is about ±0.196
    values = np.repeat(np.random.default_rng(1).normal(size=100), 4)
    found = bootstrap.interval(lambda i: float(values[i].mean()), np.repeat(np.arange(100), 4))
    assert found.low is not None
    assert found.high is not None
    assert abs((found.high - found.low) / 2 - 0.196 * values[::4].std()) < 0.03


def test_fewer_than_three_groups_give_no_interval() -> None:
    predicted, reference, _ = _data(2, 5, 0.5)
    found = bootstrap.interval(lambda i: metrics.srcc(predicted[i], reference[i]), np.repeat([0, 1], 5))
    assert (found.low, found.high, found.groups) == (None, None, 2)


def test_paired_difference_sees_a_small_but_steady_gain() -> None:
    better, reference, groups = _data(30, 5, 0.4)
    worse = better + 0.3 * np.random.default_rng(9).normal(size=len(better))
    gain = bootstrap.paired_difference(metrics.srcc, better, worse, reference, groups, resamples=400)
    same = bootstrap.paired_difference(metrics.srcc, better, better, reference, groups, resamples=50)
    assert gain.low is not None
    assert gain.low > 0
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
