from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from qagate.domain.curve import daily, switches, weekly

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)


def test_daily_medians():
    found = daily([(MONDAY, 3.0), (MONDAY, 1.0), (MONDAY, 8.0), (MONDAY + timedelta(days=2), 4.0)])
    assert found.days == (date(2026, 11, 16), date(2026, 11, 18))
    assert found.medians == (3.0, 4.0)
    assert found.numbers == (3, 1)


def test_a_start_on_a_day_without_series_counts_from_the_next_one():
    values = [(MONDAY + timedelta(days=2 * i), 80.0 + i % 2 - (8 if i >= 25 else 0)) for i in range(50)]
    start = (MONDAY + timedelta(days=49)).date()  # between two days that have series
    assert daily(values, [start]).changed_on == ()
    assert daily(values).changed_on != ()


def test_rates_by_week_need_enough_series():
    hits = [(MONDAY + timedelta(days=i % 5), i < 2) for i in range(20)] + [(MONDAY + timedelta(days=7), True)]
    first, second = weekly(hits)
    assert (first.week, first.hits, first.number, first.rate) == (date(2026, 11, 16), 2, 20, 0.1)
    assert first.interval is not None
    assert (second.number, second.rate, second.interval) == (1, None, None)


def test_switches_name_the_day_and_the_new_judge():
    told = [(MONDAY, "a"), (MONDAY, "a"), (MONDAY + timedelta(days=1), ""), (MONDAY + timedelta(days=2), "b")]
    assert switches(told) == ((date(2026, 11, 18), "b"),)
