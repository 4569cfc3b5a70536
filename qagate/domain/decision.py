"""Decision: what a person said about a series, and what stands when several have spoken."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from qagate.domain.verdict import Outcome
from qagate.errors import DecisionRefused


class Kind(StrEnum):
    """What a person does."""

    AGREE = "agree"  # the verdict is right
    DISAGREE = "disagree"  # the verdict is wrong
    GRADE = "grade"  # says how good the images are without having seen the verdict
    REJECT = "reject"  # confirms that the images are not fit to be read
    RELEASE = "release"  # lets held images go
    REPEAT = "repeat"  # asked for the scan to be repeated
    NOTE = "note"  # free text alone
    UNDO = "undo"  # takes an earlier decision back


OPINIONS = frozenset({Kind.AGREE, Kind.DISAGREE, Kind.GRADE, Kind.REJECT})
"""Kinds that say whether the verdict is right: the last one stands."""


class Quality(StrEnum):
    """How good the images are to a person, as in PS3.16 CID 7036."""

    GOOD = "good"  # (RID12, RADLEX, "Diagnostic quality")
    LIMITED = "limited"  # (RID13, RADLEX, "Limited quality")
    UNUSABLE = "unusable"  # (RID14, RADLEX, "Non-diagnostic quality")


QUALITY_SCORES = {Quality.GOOD: 100.0, Quality.LIMITED: 50.0, Quality.UNUSABLE: 0.0}
"""What a quality is worth as a label, 0-100, 100 best."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a code and the words on the page. fault: whether it speaks against the images, or for them."""

    key: str
    scheme: str
    value: str
    meaning: str
    words: str
    fault: bool


REASONS = {
    reason.key: reason
    for reason in (
        # PS3.16 CID 7011, as report/codes.yaml has them
        Reason("motion_blur", "DCM", "111210", "Motion blur", "Motion", True),
        Reason("artifact", "DCM", "111207", "Image artifact(s)", "Artefacts", True),
        Reason("under_exposed", "DCM", "111211", "Under exposed", "Noise, too little dose or signal", True),
        Reason("positioning", "DCM", "111209", "Positioning", "Positioning, anatomy cut off", True),
        Reason("processing", "DCM", "111219", "Inappropriate image processing", "Wrong reconstruction", True),
        Reason("detector", "DCM", "111214", "Detector artifact(s)", "Detector artefacts", True),
        Reason("other_artifact", "DCM", "111215", "Artifact(s) other than grid or detector artifact",
               "Metal or other foreign material", True),
        Reason("no_image", "DCM", "111213", "No image", "Images are missing", True),
        Reason("other", "DCM", "111220", "Other failure", "Something else", True),
        # why images are good enough although qagate flagged them
        Reason("good_enough", "99QAGATE", "GOOD_ENOUGH", "Good enough for the question asked",
               "Good enough for the question", False),
        Reason("not_there", "99QAGATE", "NOT_THERE", "What was found is not there", "What was found is not there",
               False),
        Reason("anatomy", "99QAGATE", "ANATOMY", "Anatomy or implant taken for an artifact",
               "Anatomy or implant, no artefact", False),
        Reason("wrong_kind", "99QAGATE", "WRONG_KIND", "Taken for another body part or sequence",
               "Taken for something else", False),
    )
}  # fmt: skip
"""Every reason by its key."""

MOST_NOTE = 1000
"""Characters of free text."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to decide. reason: a key of REASONS or empty. quality: None = what the kind implies."""

    kind: Kind
    reason: str = ""
    quality: Quality | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision as it was taken. It is never changed; `undone` says whether a later one took it back.

    revision, outcome, score, model, policy: what was decided about; 0 and None when images were released or rejected
    before there was a verdict. blind: whoever decided had not seen the verdict. undoes: the decision that this one
    takes back.
    """

    id: int
    series_instance_uid: str
    at: datetime
    person: str
    kind: Kind
    reason: str
    quality: Quality | None
    note: str
    revision: int
    outcome: Outcome | None
    score: float | None
    model: str
    policy: str
    blind: bool
    undoes: int | None = None
    undone: bool = False


class State(StrEnum):
    """Where a series stands with people."""

    UNASKED = ""  # nobody needs to look, and nobody said anything
    OPEN = "open"  # waits for a person
    PROPOSED = "proposed"  # one person rejected; a second, different one must confirm
    AGREED = "agreed"
    DISAGREED = "disagreed"
    REJECTED = "rejected"


def owner(name: str) -> str:
    """Return the person behind a name: an API token is named NAME/TOKEN, and is no second person."""
    return name.partition("/")[0]


def agrees(quality: Quality, outcome: Outcome | None) -> bool | None:
    """Return whether a person's quality is what a verdict said; None for UNSCORED, which says nothing."""
    if outcome is None or outcome is Outcome.UNSCORED:
        return None
    return (quality is Quality.GOOD) is (outcome is Outcome.ACCEPT)


def settled(wish: Wish, outcome: Outcome, *, hidden: bool) -> Quality | None:
    """Return the quality that a wish means for a verdict; None when it is no opinion on the images.

    hidden: the verdict is hidden from the person (blind sample). Raises DecisionRefused for a wish that contradicts
    itself or the verdict, or that lacks its reason.
    """
    if len(wish.note) > MOST_NOTE:
        raise DecisionRefused(f"a note may have {MOST_NOTE} characters, got {len(wish.note)}")
    if wish.reason and wish.reason not in REASONS:
        raise DecisionRefused(f"reason must be one of {', '.join(REASONS)}, got {wish.reason!r}")
    if wish.kind is Kind.UNDO:
        raise DecisionRefused("a decision is taken back by its number, got kind 'undo'")
    if wish.kind is Kind.NOTE and not wish.note.strip():
        raise DecisionRefused("a note needs its text, got an empty one")
    if wish.kind not in OPINIONS:
        return None
    if hidden and wish.kind is not Kind.GRADE:
        raise DecisionRefused(f"the verdict of this series is hidden: say how good the images are, got {wish.kind}")
    quality = wish.quality or _implied(wish.kind, outcome)
    if wish.kind is Kind.GRADE and quality is None:
        raise DecisionRefused(f"a grade needs its quality: {', '.join(Quality)}, got none")
    if wish.kind in (Kind.DISAGREE, Kind.REJECT) and not wish.reason:
        raise DecisionRefused(f"{wish.kind} needs a reason: {', '.join(REASONS)}, got none")
    if wish.kind is Kind.REJECT and quality is not Quality.UNUSABLE:
        raise DecisionRefused(f"to reject images is to call them unusable, got {quality}")
    wanted = {Kind.AGREE: True, Kind.DISAGREE: False}.get(wish.kind)
    right = None if quality is None else agrees(quality, outcome)
    if wanted is not None and right is not None and right is not wanted:
        raise DecisionRefused(f"to {wish.kind} with {outcome} is not to call the images {quality}")
    if wish.reason and quality is not None and REASONS[wish.reason].fault is (quality is Quality.GOOD):
        raise DecisionRefused(f"images that are {quality} cannot be so for this reason, got {wish.reason!r}")
    return quality


def _implied(kind: Kind, outcome: Outcome) -> Quality | None:
    if kind is Kind.REJECT:
        return Quality.UNUSABLE
    agreed = {Outcome.ACCEPT: Quality.GOOD, Outcome.REVIEW: Quality.LIMITED, Outcome.REJECT: Quality.UNUSABLE}
    if kind is Kind.AGREE:
        return agreed.get(outcome)
    if kind is Kind.DISAGREE and outcome is not Outcome.UNSCORED:
        return Quality.LIMITED if outcome is Outcome.ACCEPT else Quality.GOOD
    return None


def live(decisions: Sequence[Decision], revision: int) -> tuple[Decision, ...]:
    """Return the opinions about a revision that nobody took back, in the order they were given."""
    return tuple(d for d in decisions if d.kind in OPINIONS and not d.undone and d.revision == revision)


def standing(decisions: Sequence[Decision], revision: int, *, asked: bool, two_person: bool) -> State:
    """Return where a series stands. decisions: oldest first. asked: a person is to look (flagged, or drawn blind).

    The last opinion stands. With two_person a rejection stands only when another person rejected, too, with no other
    opinion in between. A release ends every rejection before it, and every proposal of one.
    """
    released = max((number for number, d in enumerate(decisions) if d.kind is Kind.RELEASE), default=-1)
    ended = {d.id for d in decisions[: released + 1] if d.kind is Kind.REJECT}
    opinions = [d for d in live(decisions, revision) if d.id not in ended]
    if not opinions:
        return State.OPEN if asked else State.UNASKED
    last = opinions[-1]
    if last.kind is Kind.REJECT:
        people = set()
        for opinion in reversed(opinions):
            if opinion.kind is not Kind.REJECT:
                break
            people.add(owner(opinion.person))
        return State.PROPOSED if two_person and len(people) < 2 else State.REJECTED
    if last.kind is Kind.GRADE and last.quality is not None:
        return State.DISAGREED if agrees(last.quality, last.outcome) is False else State.AGREED
    return State.DISAGREED if last.kind is Kind.DISAGREE else State.AGREED


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which share, 0-1, of judged series is shown to people with the verdict hidden, so that misses are measured.

    Some flagged ones must be among them: else a hidden verdict would tell itself.
    """

    accepted: float = 0.0
    flagged: float = 0.0

    def draws(self, series_instance_uid: str, revision: int, outcome: Outcome) -> bool:
        """Whether this one is drawn: always the same answer for the same revision."""
        share = {Outcome.ACCEPT: self.accepted, Outcome.REVIEW: self.flagged, Outcome.REJECT: self.flagged}
        digest = hashlib.sha256(f"blind|{series_instance_uid}|{revision}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64 < share.get(outcome, 0.0)
