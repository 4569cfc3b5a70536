"""Completion: when a series counts as complete. Pure: facts and the time in, a decision out.

DICOM has no end-of-series message, so quiet is the signal. A late slice opens the series again; that is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from qagate.settings import Completion

Signal = Literal["association_closed", "quiet", "nothing"]


@dataclass(frozen=True, slots=True)
class CompletionFacts:
    """What is known about a series' reception; times are timezone-aware.

    open_associations: how many associations that carried instances of this series are still open.
    last_closed_at: when the last of them closed, None when unknown.
    """

    instances: int
    last_instance_at: datetime
    open_associations: int = 0
    last_closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CompletionDecision:
    """Whether a series is complete.

    signal: what says so, or what is waited for. look_again_at: when to decide again; None when complete.
    restamp_at: the clock stepped back behind the stored times; store this as `last_instance_at` (and `last_closed_at`),
    otherwise the series waits for as long as the step was.
    """

    complete: bool
    signal: Signal
    look_again_at: datetime | None = None
    restamp_at: datetime | None = None


def decide(facts: CompletionFacts, settings: Completion, now: datetime) -> CompletionDecision:
    """Return whether the series is complete at `now`.

    With an association open: after `open_quiet_seconds` without a new instance. Without: after `quiet_seconds` since
    the last instance or the close, whichever is later. When the clock stepped back, the quiet time starts anew: never
    early, and late by one quiet time at most.
    """
    if facts.open_associations > 0:
        signal: Signal = "quiet"
        since, wait = facts.last_instance_at, timedelta(seconds=settings.open_quiet_seconds)
    else:
        signal = "association_closed" if facts.last_closed_at else "quiet"
        since = max(facts.last_instance_at, facts.last_closed_at or facts.last_instance_at)
        wait = timedelta(seconds=settings.quiet_seconds)
    if facts.instances <= 0:
        return CompletionDecision(False, "nothing", now + max(wait, timedelta(seconds=1)))
    if now < since:
        return CompletionDecision(False, signal, now + wait, restamp_at=now)
    if now - since >= wait:
        return CompletionDecision(True, signal)
    return CompletionDecision(False, signal, since + wait)
