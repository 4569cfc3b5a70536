"""When a series counts as complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qagate.assemble.completion import CompletionFacts, decide
from qagate.settings import Completion

T0 = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
SETTINGS = Completion(quiet_seconds=10, open_quiet_seconds=30)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("now", "last", "closed", "open_associations", "complete", "look_again"),
    [
        (9.9, 0, 0, 0, False, 10),  # 9.9 < 10
        (10, 0, 0, 0, True, None),
        (12, 0, 5, 0, False, 15),  # closed at 5: 5 + 10
        (15, 0, 5, 0, True, None),
        (12, 0, None, 1, False, 30),  # still open: 0 + 30
        (30, 0, None, 1, True, None),
        (12, 0, None, 0, True, None),  # nobody saw it close, after a restart
        (36, 7, 5, 2, False, 37),  # open again: 7 + 30
    ],
)
def test_quiet(
    now: float, last: float, closed: float | None, open_associations: int, complete: bool, look_again: float | None
) -> None:
    facts = CompletionFacts(20, at(last), open_associations, None if closed is None else at(closed))
    found = decide(facts, SETTINGS, at(now))
    assert found.complete is complete
    assert found.look_again_at == (None if look_again is None else at(look_again))
    assert found.restamp_at is None


def test_nothing_is_never_complete() -> None:
    found = decide(CompletionFacts(0, T0), SETTINGS, at(1000))
    assert (found.complete, found.signal) == (False, "nothing")
    assert found.look_again_at is not None
    assert found.look_again_at > at(1000)


def test_a_clock_that_steps_back_is_late_by_one_quiet_time_at_most() -> None:
    facts = CompletionFacts(20, at(0), 0, at(1))
    now = at(-3600)
    found = decide(facts, SETTINGS, now)
    assert not found.complete
    assert (found.restamp_at, found.look_again_at) == (now, now + timedelta(seconds=10))
    again = CompletionFacts(20, now, 0, now)
    assert decide(again, SETTINGS, now + timedelta(seconds=10)).complete
