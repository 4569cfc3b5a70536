"""Curves: what the trends page draws, made of points and notes. Days are in the zone of the times that are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from qagate.domain.trend import ENOUGH, Chart, chart, wilson


@dataclass(frozen=True, slots=True)
class Daily:
    """Daily medians of one figure with their chart; all sequences have one entry for each day that has values."""

    days: tuple[date, ...]
    medians: tuple[float, ...]
    numbers: tuple[int, ...]
    chart: Chart

    @property
    def changed_on(self) -> tuple[tuple[date, date, bool], ...]:
        """The lasting changes: the day one was seen, the day it began, whether values rose."""
        return tuple((self.days[one.seen], self.days[one.began], one.up) for one in self.chart.changes)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of one week, from its Monday; rate and interval are None with fewer than ENOUGH series."""

    week: date
    hits: int
    number: int
    rate: float | None
    interval: tuple[float, float] | None


def daily(values: Iterable[tuple[datetime, float]], starts: Sequence[date] = ()) -> Daily:
    """Return the daily medians and their chart; limits are learnt anew from the first day on or after each start."""
    by_day: dict[date, list[float]] = {}
    for at, value in values:
        by_day.setdefault(at.date(), []).append(value)
    days = tuple(sorted(by_day))
    medians = tuple(float(median(by_day[day])) for day in days)
    places = [next((i for i, day in enumerate(days) if day >= start), len(days)) for start in starts]
    return Daily(days, medians, tuple(len(by_day[day]) for day in days), chart(medians, places))


def weekly(hits: Iterable[tuple[datetime, bool]]) -> tuple[Rate, ...]:
    """Return the rate of each week that has series."""
    by_week: dict[date, list[bool]] = {}
    for at, hit in hits:
        by_week.setdefault(at.date() - timedelta(days=at.weekday()), []).append(hit)
    return tuple(rate(week, sum(found), len(found)) for week, found in sorted(by_week.items()))


def rate(week: date, hits: int, number: int) -> Rate:
    """Return a rate with its interval, where there are enough series."""
    if number < ENOUGH:
        return Rate(week, hits, number, None, None)
    return Rate(week, hits, number, hits / number, wilson(hits, number))


def switches(judged_by: Iterable[tuple[datetime, str]]) -> tuple[tuple[date, str], ...]:
    """Return the days on which another model or policy began to judge, with its name. Times must ascend.

    A day on which both judged counts for the new one.
    """
    found: list[tuple[date, str]] = []
    current = ""
    for at, name in judged_by:
        if name and current and name != current:
            found.append((at.date(), name))
        current = name or current
    return tuple(found)
