from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from qagate.web.asked import Asked, span
from qagate.web.pages import AskedPage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).astimezone()
MIDNIGHT = NOON.replace(hour=0)


@pytest.mark.parametrize(
    ("word", "since", "until"),
    [
        ("", None, None),
        ("today", MIDNIGHT, None),
        ("yesterday", MIDNIGHT - timedelta(days=1), MIDNIGHT),
        ("week", MIDNIGHT - timedelta(days=6), None),  # today and the six days before
    ],
)
def test_span(word, since, until):
    assert span(word, NOON) == (since, until)


def test_days_around_the_end_of_summer_time(zone):
    """The 25th of October 2026 has 25 hours in Berlin: from 22:00 UTC of the day before to 23:00 UTC."""
    zone("Europe/Berlin")
    begins, ends = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert span("2026-10-25") == (begins, ends)
    assert span("today", ends - timedelta(hours=1)) == (begins, None)
    assert span("yesterday", ends + timedelta(hours=1)) == (begins, ends)
    assert span("week", ends + timedelta(days=6))[0] == begins + timedelta(hours=25)


def test_span_of_a_day():
    since, until = span("2026-02-28")
    assert since is not None
    assert until is not None
    assert (since.day, until.day, since.hour) == (28, 1, 0)
    assert since.tzinfo is not None


@pytest.mark.parametrize("word", ["tomorrow", "2026-13-01", "0001-01-01", "9999-12-31", "22.11.2026"])
def test_no_date(word):
    with pytest.raises(ValidationError):
        Asked(date=word)


def test_address_leaves_out_what_is_empty_and_escapes_the_rest():
    asked = Asked(text="a&b", modality="CT")
    assert asked.address(verdict="review", page=1) == "/?verdict=review&modality=CT&text=a%26b"
    assert Asked().address() == "/"
    assert asked.address(page=3).endswith("page=3")


def test_narrow():
    assert not Asked(order="flagged").narrow
    assert not AskedPage(page=2).narrow
    assert Asked(scanner="CT1").narrow
