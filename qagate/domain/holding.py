"""Holding: may the images of a series wait for a verdict, and what lets them go. Pure: facts and the time in.

The rule behind all of it: when in doubt, let go. An image that waits is an image that nobody sees.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from qagate.domain.verdict import Action, Outcome
from qagate.settings import Holding, Policy

CT_AND_MR_IMAGES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT Image Storage
        "1.2.840.10008.5.1.4.1.1.4",  # MR Image Storage
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR Image Storage
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR Image Storage
    }
)
"""SOP classes that can be scored at all; every other object is never held. Source: PS3.4 B.5."""


class Cause(StrEnum):
    """Why the images of a series are let go, or kept back."""

    ACCEPTED = "accepted"
    NOT_OURS = "not_ours"
    NO_POLICY = "no_policy"
    ALWAYS = "always"
    STAT = "stat"
    EXCLUDED = "excluded"
    UNSCORED = "unscored"
    FAILED = "failed"
    DEADLINE = "deadline"
    PERSON = "person"
    EVERYTHING = "everything"
    REJECTED = "rejected"


_UNSPACED = re.compile("[\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af]")
"""Thai, kana, Han and Hangul: written without spaces between words."""

REJECTION_REASONS = (
    "artifact", "positioning", "motion_blur", "under_exposed", "no_image", "detector", "other_artifact", "software",
    "processing", "other",
)  # fmt: skip
"""Names of the reasons that a rejection note can give. Source: PS3.16 CID 7011."""

CAUSE_WORDS = {
    Cause.ACCEPTED: "the verdict is good",
    Cause.NOT_OURS: "it is nothing that is scored",
    Cause.NO_POLICY: "no policy holds such series",
    Cause.ALWAYS: "this sender's images are always forwarded",
    Cause.STAT: "it is urgent",
    Cause.EXCLUDED: "it is none of ours to score",
    Cause.UNSCORED: "it has no score",
    Cause.FAILED: "it could not be judged",
    Cause.DEADLINE: "the deadline has passed",
    Cause.PERSON: "a person released it",
    Cause.EVERYTHING: "a person released everything",
    Cause.REJECTED: "a person rejected it",
}
"""What people read, after "released: " (or "rejected: ")."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the first image of a series says, empty where it does not.

    priority: Requested Procedure Priority (0040,1003). descriptions: study, series, protocol and procedure in words.
    procedure_codes: code values of the requested procedure.
    """

    sop_class_uid: str
    modality: str
    calling_ae_title: str
    station_name: str = ""
    protocol: str = ""
    priority: str = ""
    descriptions: tuple[str, ...] = ()
    procedure_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """The images wait, at most for so long. policy: the name of the first one that may hold them."""

    policy: str
    seconds: float


def on_arrival(arrival: Arrival, policies: Sequence[Policy], holding: Holding) -> Hold | Cause:
    """Return whether the images of a new series wait, or why they do not.

    Region, organ and sequence are not known yet: a policy that asks for them may match. The images wait when a policy
    that holds may be the one that decides; the shortest deadline of those holds.
    """
    if arrival.sop_class_uid not in CT_AND_MR_IMAGES or arrival.modality not in ("CT", "MR"):
        return Cause.NOT_OURS
    if any(_like(pattern, arrival.calling_ae_title, arrival.station_name) for pattern in holding.always_forward):
        return Cause.ALWAYS
    if is_urgent(arrival, holding):
        return Cause.STAT
    holders = []
    for policy in policies:
        match = _match(policy, arrival)
        if match != "no" and Action(policy.action) is Action.HOLD:
            holders.append(policy)
        if match == "yes":
            break  # the first that matches decides: those behind it never do
    if not holders:
        return Cause.NO_POLICY
    return Hold(holders[0].name, min(policy.hold_seconds for policy in holders))


def is_urgent(arrival: Arrival, holding: Holding) -> bool:
    """Return whether priority, words or procedure codes say that this cannot wait."""
    if arrival.priority.strip().upper() in {word.upper() for word in holding.stat_priorities}:
        return True
    if set(arrival.procedure_codes) & set(holding.stat_procedure_codes):
        return True
    said = _spaced(" ".join(arrival.descriptions))
    # scripts without spaces have no words to be whole
    words = [_spaced(word) for word in holding.stat_words]
    return any((word.strip() if _UNSPACED.search(word) else word) in said for word in words if word.strip())


@dataclass(frozen=True, slots=True)
class Held:
    """A series whose images wait.

    series_state: as in qagate.store.tables.SeriesRow. answers: outcome and action of the policy for each volume of
    the latest revision, empty before there is a verdict.
    """

    held_at: datetime
    until: datetime
    series_state: str
    answers: tuple[tuple[Outcome, Action], ...] = ()


@dataclass(frozen=True, slots=True)
class Restamp:
    """The clock stepped back behind the moment of holding: count from now, else it waits for the step as well."""

    held_at: datetime
    until: datetime


def after(held: Held, now: datetime) -> Cause | Restamp | None:
    """Return why the images may go now, None when they wait on.

    They wait only while there is no verdict, or while a volume is flagged (review or reject) under a policy that holds;
    and never longer than the deadline.
    """
    if held.series_state == "excluded":
        return Cause.EXCLUDED
    if held.series_state == "failed":
        return Cause.FAILED
    if held.series_state in ("scored", "delivered") and held.answers:
        flagged = [action for outcome, action in held.answers if outcome in (Outcome.REVIEW, Outcome.REJECT)]
        if not flagged:
            accepted = any(outcome is Outcome.ACCEPT for outcome, _ in held.answers)
            return Cause.ACCEPTED if accepted else Cause.UNSCORED
        if Action.HOLD not in flagged:
            return Cause.NO_POLICY
    if now >= held.until:
        return Cause.DEADLINE
    if now < held.held_at:
        return Restamp(now, now + (held.until - held.held_at))
    return None


def note(
    *, state: str, cause: str, until: datetime | None, decided_at: datetime | None, policy: str, waits: bool
) -> str:
    """Return the sentence about the images for the report, empty when there is nothing to say.

    state, cause, until, decided_at, policy: as in qagate.store.tables.HoldingRow. waits: the verdict of the report is
    one that lets the images wait for a person.
    """
    if state == "held" and until is not None:
        last = f"{until:%Y-%m-%d %H:%M} UTC"
        return f"Images are held for a person until {last} at the latest (policy {policy})" if waits else ""
    if state == "released" and decided_at is not None and cause in _BEFORE_THE_VERDICT:
        return (
            f"Images were forwarded at {decided_at:%Y-%m-%d %H:%M} UTC before this verdict: {CAUSE_WORDS[Cause(cause)]}"
        )
    return ""


_BEFORE_THE_VERDICT = frozenset({Cause.DEADLINE, Cause.STAT, Cause.PERSON, Cause.EVERYTHING})


def deadline(held_at: datetime, hold: Hold) -> datetime:
    """Return until when images wait that were held at a time."""
    return held_at + timedelta(seconds=hold.seconds)


def _match(policy: Policy, arrival: Arrival) -> Literal["yes", "maybe", "no"]:
    match = policy.match
    if match.modality is not None and arrival.modality.casefold() not in {m.strip().casefold() for m in match.modality}:
        return "no"
    for patterns, text in ((match.ae_title, arrival.calling_ae_title), (match.protocol, arrival.protocol)):
        if patterns is not None and not any(_like(pattern, text) for pattern in patterns):
            return "no"
    if match.region is None and match.organ is None and match.sequence is None:
        return "yes"
    return "maybe"


def _spaced(text: str) -> str:
    """Return the words of a text, each with one space before and behind it, so that "stat" is not found in "static"."""
    plain = unicodedata.normalize("NFKC", text).casefold()  # letters of full width are the same letters
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    return f" {' '.join(words)} "


def _like(pattern: str, *texts: str) -> bool:
    return any(fnmatchcase(text.strip().casefold(), pattern.strip().casefold()) for text in texts if text.strip())
