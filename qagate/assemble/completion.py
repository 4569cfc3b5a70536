"""Completion: when a series counts as complete. Pure: facts and the time in, a decision out.

DICOM has no end-of-series message. What is nearest to one, best first: the scanner's list of what it made (MPPS, PS3.4
Annex F), the number of images an archive has (PS3.4 Annex C), slices without a gap on an association that is closed,
and quiet. A late slice opens the series again; that is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from qagate.settings import Completion

Signal = Literal["mpps", "archive", "contiguous", "association_closed", "quiet", "nothing"]


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What is known from an archive that may be asked.

    instances: how many it has, None when it has not answered; asked_at: when it was asked, None when it was not.
    """

    instances: int | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RetrievalFacts:
    """How often missing images were fetched from somewhere, and when last."""

    tries: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CompletionFacts:
    """What is known about a series' reception; times are timezone-aware.

    instances: how many different ones are here. open_associations: how many associations that carried instances of
    this series are still open. last_closed_at: when the last of them closed, None when unknown. broke_off: one ended
    without a release, and its sender did not come back. listed: how many instances the scanner lists as made, when it
    has ended its step, None without a list; listed_missing: how many of those are not here; listed_at: when the list
    came. archive: None when nobody may be asked. retrieval: None when missing images may not be fetched. contiguous:
    the slices are numbered and placed without a gap.
    """

    instances: int
    last_instance_at: datetime
    open_associations: int = 0
    last_closed_at: datetime | None = None
    broke_off: bool = False
    listed: int | None = None
    listed_missing: int = 0
    listed_at: datetime | None = None
    archive: ArchiveFacts | None = None
    retrieval: RetrievalFacts | None = None
    contiguous: bool = False


@dataclass(frozen=True, slots=True)
class CompletionDecision:
    """Whether a series is complete, or is to be judged as it is.

    signal: what says so, or what is waited for. look_again_at: when to decide again; None when complete. restamp_at:
    the clock stepped back behind the stored times; store this as `last_instance_at` (and `last_closed_at`), otherwise
    the series waits for as long as the step was. expected and missing: how many instances there should be, and how
    many of those are not here; expected is None when nobody says. ask: the archive is to be asked now. retrieve: what
    is missing is to be fetched now.
    """

    complete: bool
    signal: Signal
    look_again_at: datetime | None = None
    restamp_at: datetime | None = None
    expected: int | None = None
    missing: int = 0
    ask: bool = False
    retrieve: bool = False


def decide(facts: CompletionFacts, settings: Completion, now: datetime) -> CompletionDecision:
    """Return whether the series is complete at `now`.

    All images of the scanner's list here: at once. Else after the quiet time: with an association open
    `open_quiet_seconds` without a new instance; without, `quiet_seconds` since the last instance or the close,
    whichever is later. An archive that may be asked then has its say. What is known to be missing is fetched if that
    is allowed, and waited for `missing_seconds`; then the series is judged without it. When the clock stepped back,
    the quiet time starts anew: never early, and late by one quiet time at most.
    """
    signal, since, wait = _quiet(facts, settings)
    if facts.instances <= 0:
        return CompletionDecision(False, "nothing", now + max(wait, timedelta(seconds=1)))
    if now < since:
        return CompletionDecision(False, signal, now + wait, restamp_at=now)
    quiet_at = since + wait
    if facts.listed is not None:
        if not facts.listed_missing:
            return CompletionDecision(True, "mpps", expected=facts.listed)
        since = max(since, facts.listed_at or since)
        return _without(facts, settings, now, signal, since, quiet_at, facts.listed, facts.listed_missing)
    ended_well = facts.last_closed_at is not None and not facts.open_associations and not facts.broke_off
    if settings.early and facts.contiguous and ended_well:
        return CompletionDecision(True, "contiguous")
    if now < quiet_at:
        return CompletionDecision(False, signal, quiet_at)
    archive = facts.archive
    if archive is None:
        return CompletionDecision(True, signal)
    if archive.asked_at is None or archive.asked_at < since:  # it may have more by now
        late = quiet_at + timedelta(seconds=settings.archive_seconds)
        return CompletionDecision(now >= late, signal, None if now >= late else late, ask=now < late)
    if archive.instances is None:
        return CompletionDecision(True, signal)  # it was asked and does not know
    missing = archive.instances - facts.instances
    if missing <= 0:
        return CompletionDecision(True, "archive", expected=archive.instances)
    return _without(facts, settings, now, signal, archive.asked_at, quiet_at, archive.instances, missing)


def _quiet(facts: CompletionFacts, settings: Completion) -> tuple[Signal, datetime, timedelta]:
    """Return what says that nothing more comes, since when it could be said, and how long that must last."""
    if facts.open_associations > 0:
        return "quiet", facts.last_instance_at, timedelta(seconds=settings.open_quiet_seconds)
    signal: Signal = "association_closed" if facts.last_closed_at else "quiet"
    since = max(facts.last_instance_at, facts.last_closed_at or facts.last_instance_at)
    return signal, since, timedelta(seconds=settings.quiet_seconds)


def _without(
    facts: CompletionFacts,
    settings: Completion,
    now: datetime,
    signal: Signal,
    since: datetime,
    quiet_at: datetime,
    expected: int,
    missing: int,
) -> CompletionDecision:
    """Decide about a series of which images are known to be missing: fetch, wait, then judge it as it is."""

    def wait(until: datetime, *, retrieve: bool = False) -> CompletionDecision:
        return CompletionDecision(False, signal, until, expected=expected, missing=missing, retrieve=retrieve)

    if now < quiet_at:
        return wait(quiet_at)
    if facts.retrieval is not None:
        between = timedelta(seconds=settings.retrieve_seconds)
        last = facts.retrieval.last_at
        next_at = now if last is None or last > now else last + between
        if now < next_at:
            return wait(next_at)
        if facts.retrieval.tries < settings.retrieve_tries:
            return wait(now + between, retrieve=True)
        if facts.retrieval.tries:
            return CompletionDecision(True, signal, expected=expected, missing=missing)
    late = max(quiet_at, since + timedelta(seconds=settings.missing_seconds))
    if now < late:
        return wait(late)
    return CompletionDecision(True, signal, expected=expected, missing=missing)
