"""Opinions of people beside what qagate said: pairs of words, by protocol. Nobody is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.domain.decision import Decision, Quality
from qagate.domain.verdict import Outcome
from qagate.store import decisions
from qagate.store.tables import SeriesRow

GOOD, POOR = "good", "poor"
CHUNK = 500


@dataclass(slots=True)
class Paired:
    """Pairs of words, GOOD or POOR. model: (what qagate said, what a person said); people: (one person, another);
    blind: as model, of verdicts that were hidden."""

    model: list[tuple[str, str]] = field(default_factory=list)
    people: list[tuple[str, str]] = field(default_factory=list)
    blind: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def together(cls, many: Iterable[Paired]) -> Paired:
        """Return all pairs of several in one."""
        total = cls()
        for one in many:
            total.model += one.model
            total.people += one.people
            total.blind += one.blind
        return total


def paired(session: Session, *, since: datetime) -> dict[tuple[str, str], Paired]:
    """Return (modality, protocol) → pairs, of the opinions since a time that stand.

    What somebody said without knowing the verdict counts as that also when they spoke again once they knew it: else
    only those would count whose mind the verdict did not change.
    """
    said = decisions.since(session, since)
    found = _by_series(said)
    unknowing = _by_series([one for one in said if one.blind])
    protocols = _protocols(session, list(found))
    pairs: dict[tuple[str, str], Paired] = defaultdict(Paired)
    for uid, opinions in found.items():
        into = pairs[protocols[uid]]
        into.model += map(_pair, opinions)
        into.blind += map(_pair, unknowing.get(uid, ()))
        ordered = sorted(opinions, key=lambda d: d.person)
        into.people += [
            (_word(one), _word(other)) for one, other in combinations(ordered, 2) if one.revision == other.revision
        ]
    return pairs


def _by_series(said: Sequence[Decision]) -> dict[str, list[Decision]]:
    """Return Series Instance UID → the opinions on it that stand and can be compared with a verdict."""
    found: dict[str, list[Decision]] = defaultdict(list)
    for opinion in decisions.opinions(said):
        if opinion.quality is not None and opinion.outcome is not Outcome.UNSCORED:
            found[opinion.series_instance_uid].append(opinion)
    return found


def _pair(opinion: Decision) -> tuple[str, str]:
    return (GOOD if opinion.outcome is Outcome.ACCEPT else POOR, _word(opinion))


def _word(opinion: Decision) -> str:
    return GOOD if opinion.quality is Quality.GOOD else POOR


def _protocols(session: Session, uids: Sequence[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(uids), CHUNK):
        rows = session.execute(
            select(SeriesRow.series_instance_uid, SeriesRow.modality, SeriesRow.protocol_name).where(
                SeriesRow.series_instance_uid.in_(uids[start : start + CHUNK])
            )
        )
        found |= {uid: (modality, protocol) for uid, modality, protocol in rows}
    return found
