"""When a series counts as complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qagate.assemble.completion import ArchiveFacts, CompletionFacts, RetrievalFacts, decide
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


KNOWING = Completion(
    quiet_seconds=10,
    missing_seconds=60,
    archive_seconds=20,
    retrieve_tries=2,
    retrieve_seconds=20,
)


def arrived(**more: object) -> CompletionFacts:
    """Return the facts of 20 images, the last at 0 s, on an association that closed at 1 s."""
    return CompletionFacts(20, at(0), 0, at(1), **more)  # type: ignore[arg-type]


# facts; now in s; complete, signal, expected, missing, next look in s
@pytest.mark.parametrize(
    ("facts", "now", "complete", "signal", "expected", "missing", "look_again"),
    [
        ({"listed": 20, "listed_at": at(2)}, 2, True, "mpps", 20, 0, None),  # all that was made is here: no quiet time
        ({"listed": 23, "listed_missing": 3, "listed_at": at(2)}, 5, False, "association_closed", 23, 3, 11),  # 1 + 10
        ({"listed": 23, "listed_missing": 3, "listed_at": at(2)}, 11, False, "association_closed", 23, 3, 62),  # 2 + 60
        ({"listed": 23, "listed_missing": 3, "listed_at": at(2)}, 62, True, "association_closed", 23, 3, None),
        ({"listed": 23, "listed_missing": 3, "listed_at": at(90)}, 95, False, "association_closed", 23, 3, 150),  # late
        ({"archive": ArchiveFacts(20, at(11))}, 11, True, "archive", 20, 0, None),
        ({"archive": ArchiveFacts(19, at(11))}, 11, True, "archive", 19, 0, None),  # it gets them later than we do
        ({"archive": ArchiveFacts(25, at(11))}, 12, False, "association_closed", 25, 5, 71),  # 11 + 60
        ({"archive": ArchiveFacts(25, at(11))}, 71, True, "association_closed", 25, 5, None),
        ({"archive": ArchiveFacts(None, at(11))}, 12, True, "association_closed", None, 0, None),  # it does not know
        ({"archive": ArchiveFacts()}, 31, True, "association_closed", None, 0, None),  # 11 + 20: nobody asked it
    ],
)
def test_what_others_know(facts, now, complete, signal, expected, missing, look_again) -> None:
    found = decide(arrived(**facts), KNOWING, at(now))
    assert (found.complete, found.signal, found.expected, found.missing) == (complete, signal, expected, missing)
    assert found.look_again_at == (None if look_again is None else at(look_again))


def test_an_archive_is_asked_once_it_is_quiet_and_again_when_more_came() -> None:
    assert not decide(arrived(archive=ArchiveFacts()), KNOWING, at(10)).ask
    assert decide(arrived(archive=ArchiveFacts()), KNOWING, at(11)).ask
    older = decide(arrived(archive=ArchiveFacts(25, at(-5))), KNOWING, at(11))
    assert older.ask
    assert not older.complete


# tries, last try in s, now in s; complete, retrieve: two tries, 20 s apart, then it is judged as it is
@pytest.mark.parametrize(
    ("tries", "last", "now", "complete", "retrieve"),
    [
        (0, None, 5, False, False),  # it is not quiet yet
        (0, None, 11, False, True),
        (1, 11, 20, False, False),
        (1, 11, 31, False, True),
        (2, 31, 50, False, False),
        (2, 31, 51, True, False),
        (1, 4000, 11, False, True),  # the clock stepped back
    ],
)
def test_what_is_missing_is_fetched_a_few_times(tries, last, now, complete, retrieve) -> None:
    facts = arrived(
        listed=23,
        listed_missing=3,
        listed_at=at(2),
        retrieval=RetrievalFacts(tries, None if last is None else at(last)),
    )
    found = decide(facts, KNOWING, at(now))
    assert (found.complete, found.retrieve, found.missing) == (complete, retrieve, 3)


@pytest.mark.parametrize(
    ("early", "more", "complete"),
    [
        (True, {"contiguous": True}, True),
        (False, {"contiguous": True}, False),  # not asked for
        (True, {"contiguous": False}, False),
        (True, {"contiguous": True, "broke_off": True}, False),
        (True, {"contiguous": True, "open_associations": 1}, False),
    ],
)
def test_contiguous_slices_on_a_closed_association_may_be_judged_at_once(early, more, complete) -> None:
    facts = CompletionFacts(20, at(0), last_closed_at=at(1), **more)
    found = decide(facts, Completion(quiet_seconds=10, early=early), at(1))
    assert found.complete is complete
    assert (found.signal == "contiguous") is complete
