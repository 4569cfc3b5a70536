"""Verdict: accept, review, reject or unscored, with reasons a radiographer understands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The four answers. REJECT is only given by a policy that says so; it never sends a rejection note by itself."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"
    UNSCORED = "unscored"


class Action(StrEnum):
    """What a policy lets qagate do with its verdict."""

    SHADOW = "shadow"  # database only
    ADVISE = "advise"  # SR, SC, KO to the destinations
    HOLD = "hold"  # the same, and the images wait for it


WORDS = {
    Outcome.ACCEPT: "Good",
    Outcome.REVIEW: "Look",
    Outcome.REJECT: "Bad",
    Outcome.UNSCORED: "No score",
}
"""The word people are shown, the same everywhere."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one volume.

    reasons: plain sentences, the weightiest first; empty for a plain accept. limit: the score below which this policy
    flags, None when unscored. attribute_limits: the limits that applied, for display. policy_version: changes whenever
    the policy, or a site's own limit over it, does.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    policy: str
    action: Action
    limit: float | None = None
    attribute_limits: tuple[tuple[str, float], ...] = ()
    policy_version: str = ""

    @property
    def flagged(self) -> bool:
        """Whether a person should look."""
        return self.outcome in (Outcome.REVIEW, Outcome.REJECT)

    @property
    def word(self) -> str:
        """The word people are shown."""
        return WORDS[self.outcome]


def worst(verdicts: tuple[Verdict, ...]) -> Verdict:
    """Return the verdict that speaks for a series of several volumes.

    reject > review > accept > unscored: a series with one scored volume is not "unscored" for its localiser's sake.
    Raises ValueError when there is none.
    """
    order = (Outcome.REJECT, Outcome.REVIEW, Outcome.ACCEPT, Outcome.UNSCORED)
    return min(verdicts, key=lambda verdict: order.index(verdict.outcome))
