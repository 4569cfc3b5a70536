"""Store permission: what an archive that asks before it stores a series is told. Pure: facts in, answer out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What is said of a series or a study."""

    ALLOWED = "allowed"
    HELD = "held"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one series. holding: as in the series table: held, released, rejected or empty."""

    series_instance_uid: str
    holding: str
    word: str


@dataclass(frozen=True, slots=True)
class StorePermission:
    """may_store: what an archive should do; answer and reason: why."""

    answer: Answer
    may_store: bool
    reason: str


def permitted(series: Sequence[Known], *, unknown_may_store: bool) -> StorePermission:
    """Say whether these series, all of one study or one alone, may be stored.

    One that waits keeps its whole study waiting. What is not known is stored unless the site wants it otherwise: an
    image that waits for nothing is an image that nobody sees.
    """
    if not series:
        return unknown("qagate has not received it", may_store=unknown_may_store)
    for state, reason in (("held", "its images wait for a verdict"), ("rejected", "a person rejected it")):
        found = [one for one in series if one.holding == state]
        if found:
            return StorePermission(Answer.HELD, False, f"{reason}: {found[0].series_instance_uid}")
    words = sorted({one.word for one in series if one.word})
    return StorePermission(Answer.ALLOWED, True, f"nothing is held; {', '.join(words) or 'no verdict yet'}")


def unknown(reason: str, *, may_store: bool) -> StorePermission:
    """Return the answer when nothing can be said."""
    return StorePermission(Answer.UNKNOWN, may_store, reason)
