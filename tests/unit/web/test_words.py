from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qagate.web import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (3540, "59 min ago")],
)
def test_ago_is_relative_up_to_an_hour(seconds, text):
    moment = datetime.now(UTC) - timedelta(seconds=seconds + 0.2)
    assert words.ago(moment.isoformat()) == text


def test_ago_is_absolute_with_a_zone_after_it():
    assert words.ago("2020-01-02T03:04:05+00:00").startswith("2020-01-0")
    assert words.ago(None) == ""


def test_a_time_of_another_day_has_its_date():
    now = datetime.now().astimezone()
    before = now - timedelta(days=2)
    assert words.clock(now.isoformat()) == f"{now:%H:%M:%S}"
    assert words.clock(before.isoformat()) == f"{before:%Y-%m-%d %H:%M:%S}"
    assert words.then(before.isoformat()) == f"{before:%Y-%m-%d %H:%M %Z}"
    assert words.minute(before.isoformat()) == f"{before:%H:%M}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (-3, "+0 s"), (11.4, "+11 s"), (99, "+99 s"), (240, "+4 min"), (7200, "+2 h")],
)
def test_took(seconds, text):
    assert words.took(seconds) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not_ct_or_mr: 1 object is neither CT nor MR", "1 object is neither CT nor MR"),
        ("noise: 24 HU.", "Noise: 24 HU"),  # no finding is called noise
        ("", ""),
    ],
)
def test_sentence(text, said):
    assert words.sentence(text) == said
