"""Lists of series that stay quick over millions: what to look at, how many there are, and what to narrow them by.

A filter is answered by the way in that fits it: the words that series share are looked up among their kinds
(tables/kind.py), accession numbers and UIDs by their own index. What matches seldom is then fetched and sorted; what
matches often is found by walking back in time. Nothing is counted beyond MOST_COUNTED. Figures: docs/performance.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from qagate.store.filter import FLAGGED, OUTCOMES, Filter
from qagate.store.places import MOST_COUNTED, Places, latest_first
from qagate.store.tables import KindRow, SeriesRow

MOST_PENDING = 200
"""So many of those that wait for a person stand before all others; more are found under "to do"."""


def listing(
    session: Session,
    wanted: Filter,
    *,
    limit: int = 50,
    offset: int = 0,
    flagged_first: bool = False,
    veiled: bool = False,
) -> Sequence[SeriesRow]:
    """Return series, the latest first; with flagged_first what a person should look at stands before all else.

    veiled: no place tells a hidden verdict; such series stand behind the flagged ones, whatever they are.
    """
    if not flagged_first:
        return _rows(session, Places.of(session, wanted).page(session, wanted.outcomes, limit, offset))
    found: list[SeriesRow] = []
    told = Places.of(session, replace(wanted, hidden=False) if veiled else wanted)
    turns: list[tuple[Places, tuple[str, ...]]] = [(told, (outcome,)) for outcome in FLAGGED]
    turns.append((told, ("unscored", "accept", "")))
    if veiled and wanted.hidden is None:
        turns.insert(len(FLAGGED), (Places.of(session, replace(wanted, hidden=True)), wanted.outcomes))
    for places, outcomes in turns:
        if wanted.outcomes and not set(outcomes) <= set(wanted.outcomes):
            continue
        found += _rows(session, places.page(session, outcomes, limit - len(found), offset))
        if len(found) == limit:
            break
        offset = 0 if found else offset - places.number(session, outcomes, None) if offset else 0
    return found


def pending_first(
    session: Session, wanted: Filter, *, since: datetime, limit: int = 50, offset: int = 0
) -> Sequence[SeriesRow]:
    """Return series: first those that came since then and wait for a person, MOST_PENDING at most, then all others.

    Of both the latest first.
    """
    places = Places.of(session, replace(wanted, pending_since=since))
    pending = tuple(session.scalars(places.page(session, wanted.outcomes, MOST_PENDING, 0)))
    first = pending[offset : offset + limit]
    found = list(_rows(session, select(SeriesRow.series_instance_uid).where(SeriesRow.series_instance_uid.in_(first))))
    if len(found) < limit:
        others, before = replace(wanted, without=pending), max(offset - len(pending), 0)
        found += listing(session, others, limit=limit - len(found), offset=before)
    return found


def count(session: Session, wanted: Filter) -> int:
    """Return how many series a filter lists, MOST_COUNTED at most."""
    return Places.of(session, wanted).number(session, wanted.outcomes, MOST_COUNTED)


def outcome_counts(session: Session, wanted: Filter, *, veiled: bool = False) -> dict[str, int]:
    """Return how many series of a filter have each outcome ("" = none yet), MOST_COUNTED of each at most.

    The filter's own outcome does not narrow. veiled: those whose verdict is hidden count as if they had none.
    """
    places = Places.of(session, replace(wanted, outcome=""))
    hidden = replace(places, hidden=True).outcomes(session) if veiled else Counter[str]()
    counts = {
        outcome: places.number(session, (outcome,), MOST_COUNTED + hidden[outcome]) - hidden[outcome]
        for outcome in OUTCOMES
    }
    counts[""] = min(counts[""] + hidden.total(), MOST_COUNTED)
    return {outcome: number for outcome, number in counts.items() if number}


def choices(session: Session, *, since: datetime, limit: int = 200) -> dict[str, list[str]]:
    """Return the values that a person can filter by, of the series since then: modality, organ, scanner, protocol."""
    recent = (
        select(SeriesRow.series_instance_uid)
        .where(SeriesRow.kind_id == KindRow.id, SeriesRow.outcome.in_(OUTCOMES), SeriesRow.last_instance_at >= since)
        .exists()
    )
    kinds = session.scalars(select(KindRow).where(recent)).all()
    found = {
        "modality": {kind.modality for kind in kinds},
        "organ": {word for kind in kinds for word in (*kind.region.split(), kind.organ)},
        "scanner": {name for kind in kinds for name in (kind.station_name, kind.calling_ae_title)},
        "protocol": {kind.protocol_name for kind in kinds},
    }
    return {name: sorted(values - {""})[:limit] for name, values in found.items()}


def _rows(session: Session, uids: Select[Any]) -> Sequence[SeriesRow]:
    return session.scalars(latest_first(select(SeriesRow).where(SeriesRow.series_instance_uid.in_(uids)))).all()
