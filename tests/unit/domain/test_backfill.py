"""What a backfill wants, when it may ask, and how it says how far it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from qagate.domain.backfill import Progress, Query, Window
from qagate.errors import InputError

BERLIN = ZoneInfo("Europe/Berlin")
YEAR = (date(2024, 1, 1), date(2024, 12, 31))


@pytest.mark.parametrize(
    ("query", "modality", "description", "wanted"),
    [
        (Query(*YEAR), "CT", "Abdomen 5.0", True),
        (Query(*YEAR), "MR", "", True),
        (Query(*YEAR), "SR", "", False),
        (Query(*YEAR, ("CT",)), "MR", "", False),
        (Query(*YEAR, ("CT",), "*abd*"), "CT", "CT ABDOMEN 5.0", True),  # case does not count
        (Query(*YEAR, ("CT",), "*abd*"), "CT", "Thorax", False),
        (Query(*YEAR, ("CT",), "*abd*"), "CT", "", False),
        (Query(*YEAR, ("CT",), "T? tse"), "CT", "t2 tse", True),
    ],
)
def test_what_is_wanted(query: Query, modality: str, description: str, wanted: bool) -> None:
    assert query.wants(modality, description) is wanted
    assert Query.from_json(query.as_json()) == query


def test_days_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match="got 2024-12-31 and 2024-01-01"):
        Query(YEAR[1], YEAR[0])


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        ("20:00-06:00", "2024-06-01T22:00", None),
        ("20:00-06:00", "2024-06-01T05:59", None),
        ("20:00-06:00", "2024-06-01T06:00", "2024-06-01T20:00"),
        ("20:00-06:00", "2024-06-01T12:00", "2024-06-01T20:00"),
        ("12:00-13:00", "2024-06-01T11:59", "2024-06-01T12:00"),
        ("12:00-13:00", "2024-06-01T13:00", "2024-06-02T12:00"),
        ("00:00-00:00", "2024-06-01T15:00", None),  # all day
        ("02:30-05:00", "2024-03-31T01:00", "2024-03-31T03:30"),  # that night has no 02:30
        ("20:00-06:00", "2024-10-27T02:30", None),  # that night has it twice
    ],
)
def test_when_the_window_opens(window: str, now: str, opens: str | None) -> None:
    found = Window.read(window, BERLIN).opens_at(berlin(now).astimezone(UTC))
    assert found == (None if opens is None else berlin(opens).astimezone(UTC))


@pytest.mark.parametrize("text", ["", "20:00", "8pm-6am", "25:00-06:00", "20:00-06:00-07:00"])
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"20:00-06:00, got"):
        Window.read(text)


@pytest.mark.parametrize(
    ("progress", "words", "ended"),
    [
        (Progress(3, 0), "day 0 of 3 · 0 series found · 0 judged", False),
        (Progress(3, 3), "day 3 of 3 · 0 series found · 0 judged · done", True),
        (
            Progress(3, 2, found=9, waiting=2, judging=1, judged=4, per_hour=60, note="waits"),
            "day 2 of 3 · 9 series found · 4 judged · 1 being judged · 2 waiting · 60 in the last hour · waits",
            False,
        ),
        (
            Progress(3, 3, found=3, judging=1, judged=1, known=1),
            "day 3 of 3 · 3 series found · 1 judged · 1 known before · 1 being judged",
            False,
        ),
    ],
)
def test_how_far_it_is(progress: Progress, words: str, ended: bool) -> None:
    assert str(progress) == words
    assert progress.ended is ended
