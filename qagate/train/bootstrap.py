"""Intervals by resampling whole groups (subjects, contents), because items of one group are not independent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Statistic = Callable[[npt.NDArray[np.intp]], float]
"""Indices of the items drawn (with repeats) → the figure for them."""

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval. low and high are None when there were too few groups to say."""

    value: float
    low: float | None
    high: float | None
    groups: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the interval as plain data."""
        return asdict(self)


def interval(
    statistic: Statistic, groups: npt.ArrayLike, *, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the figure on all items and its percentile interval over resampled groups.

    groups: (items,) names. With fewer than three groups there is no interval. The same seed gives the same draws, so
    that two figures on the same items can be compared draw by draw.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    everything = np.arange(len(member))
    value = statistic(everything)
    if len(names) < 3:
        return Interval(value, None, None, len(names))
    items = [everything[member == g] for g in range(len(names))]
    random = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([items[g] for g in random.integers(0, len(names), len(names))]))
        for _ in range(resamples)
    ]
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(drawn, (tail, 100.0 - tail))
    return Interval(value, float(low), float(high), len(names))


def intervals(
    statistics: Mapping[str, Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]],
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the interval of each statistic of (predicted, reference)."""
    p, r = np.asarray(predicted, np.float64), np.asarray(reference, np.float64)

    def on(function: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]) -> Statistic:
        return lambda index: function(p[index], r[index])

    return {name: interval(on(f), groups, resamples=resamples, seed=seed) for name, f in statistics.items()}


def paired_difference(
    statistic: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float],
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    reference: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return statistic(first) - statistic(second) on the same draws: the gain of `first` if higher is better."""
    a, b, r = (np.asarray(v, np.float64) for v in (first, second, reference))
    return interval(
        lambda index: statistic(a[index], r[index]) - statistic(b[index], r[index]),
        groups,
        resamples=resamples,
        seed=seed,
    )
