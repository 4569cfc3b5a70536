"""Budget: what a limit would have flagged, and limits that flag no more than people can look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qagate.domain.agreement import ENOUGH


@dataclass(frozen=True, slots=True)
class Tally:
    """The scored series of one protocol over some days, by whole score (59.6 stands under 59).

    scored: how many. otherwise: those among them that are flagged whatever their score, for an artefact or a finding.
    bad, good: those that people called bad or good. limit: the score below which they are flagged now.
    """

    modality: str
    protocol: str
    limit: float
    scored: Mapping[int, int]
    otherwise: Mapping[int, int] = field(default_factory=dict)
    bad: Mapping[int, int] = field(default_factory=dict)
    good: Mapping[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many series."""
        return sum(self.scored.values())

    @property
    def enough(self) -> bool:
        """Whether there are enough to say anything."""
        return self.count >= ENOUGH


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a limit would have done. flagged: series; caught, false: flagged ones that people called bad or good;
    missed: ones that people called bad and that it would not have flagged."""

    flagged: int
    caught: int
    false: int
    missed: int


def forecast(tally: Tally, limit: int) -> Forecast:
    """Return what a limit (whole score; flagged is below it) would have done."""

    def below(numbers: Mapping[int, int]) -> int:
        return sum(number for score, number in numbers.items() if score < limit)

    others = sum(number for score, number in tally.otherwise.items() if score >= limit)
    caught = below(tally.bad)
    return Forecast(
        flagged=below(tally.scored) + others,
        caught=caught,
        false=below(tally.good),
        missed=sum(tally.bad.values()) - caught,
    )


def propose(tallies: Sequence[Tally], *, flags: float) -> dict[tuple[str, str], int]:
    """Return (modality, protocol) → limit such that all protocols together flag at most `flags` series of these days.

    Each protocol gives the same share of its series, so that none is silenced by another with many series. Protocols
    with fewer than ENOUGH series keep the limit they have and count against the budget. When even a limit of 0 flags
    more, for artefacts and findings, all proposals are 0.
    """
    kept = sum(forecast(t, round(t.limit)).flagged for t in tallies if not t.enough)
    judged = [t for t in tallies if t.enough]
    low, high = 0.0, 1.0
    for _ in range(30):  # bisection on the share
        middle = (low + high) / 2
        total = kept + sum(forecast(t, _at(t, middle)).flagged for t in judged)
        low, high = (middle, high) if total <= flags else (low, middle)
    return {(t.modality, t.protocol): _at(t, low) for t in judged}


def _at(tally: Tally, part: float) -> int:
    """Return the highest limit below which no more than this share of a protocol's series lies."""
    room, seen = part * tally.count, 0
    for score in range(101):
        seen += tally.scored.get(score, 0)
        if seen > room:
            return score
    return 100
