"""What stands beside one series: the same study, the same protocol on the same scanner, and what is usual there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, false, func, or_, select
from sqlalchemy.orm import Session

from qagate.store.tables import AlertRow, AssessmentRow, EventRow, RevisionRow, SeriesRow
from qagate.store.worklist import unveiled

ENOUGH = 20
"""Fewer series than this make no "usual"."""

MANY = 200
"""More series than this are not asked for what is usual."""


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a score stands among others of its kind: `above` of `others` are higher."""

    above: int
    others: int


def _kin(row: SeriesRow) -> Any:
    """Same protocol, else description, on the same station, else AE title; itself not included.

    Without a protocol and a description nothing is of its kind: what has no name is not all the same.
    """
    same = [SeriesRow.modality == row.modality, SeriesRow.protocol_name == row.protocol_name,
            SeriesRow.station_name == row.station_name]  # fmt: skip
    if not row.protocol_name:
        same.append(SeriesRow.series_description == row.series_description if row.series_description else false())
    if not row.station_name:
        same.append(SeriesRow.calling_ae_title == row.calling_ae_title)
    return and_(*same, SeriesRow.series_instance_uid != row.series_instance_uid)


def rank(session: Session, row: SeriesRow, *, veiled: bool = False) -> Rank | None:
    """Return where the score of a series stands among its kind; None without a score or with too few others.

    veiled: those whose verdict is hidden are left out.
    """
    if row.score is None:
        return None
    scores = session.scalars(
        select(SeriesRow.score)
        .where(_kin(row), SeriesRow.score.is_not(None), *unveiled(veiled))
        .order_by(SeriesRow.last_instance_at.desc())
        .limit(MANY * 5)
    ).all()
    if len(scores) < ENOUGH:
        return None
    return Rank(sum(1 for score in scores if score is not None and score > row.score), len(scores))


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual: the middle value, and the range in which 90 % of `count` series lie."""

    median: float
    low: float
    high: float
    count: int


def usual(session: Session, row: SeriesRow, *, veiled: bool = False) -> dict[str, Usual]:
    """Return measurement → what is usual among the last accepted series of its kind; nothing with fewer than ENOUGH.

    veiled: those whose verdict is hidden are left out.
    """
    documents = session.scalars(
        select(AssessmentRow.document["physics"])
        .join(RevisionRow, RevisionRow.id == AssessmentRow.revision_id)
        .join(SeriesRow, SeriesRow.series_instance_uid == RevisionRow.series_instance_uid)
        .where(_kin(row), SeriesRow.outcome == "accept", AssessmentRow.outcome == "accept", *unveiled(veiled))
        .order_by(AssessmentRow.id.desc())
        .limit(MANY)
    ).all()
    values: dict[str, list[float]] = {}
    for document in documents:
        for name, value in (document or {}).items():
            values.setdefault(name, []).append(float(value))
    return {name: _usual(sorted(found)) for name, found in values.items() if len(found) >= ENOUGH}


def _usual(ascending: Sequence[float]) -> Usual:
    last = len(ascending) - 1
    low, median, high = (ascending[round(last * part)] for part in (0.05, 0.5, 0.95))
    return Usual(median, low, high, len(ascending))


def same_study(session: Session, row: SeriesRow, limit: int = 12) -> Sequence[SeriesRow]:
    """Return the other series of the same study, the latest first."""
    return session.scalars(
        select(SeriesRow)
        .where(
            SeriesRow.study_instance_uid == row.study_instance_uid,
            SeriesRow.series_instance_uid != row.series_instance_uid,
        )
        .order_by(SeriesRow.last_instance_at.desc())
        .limit(limit)
    ).all()


def alike(session: Session, row: SeriesRow, limit: int = 8) -> Sequence[SeriesRow]:
    """Return earlier judged series of the same protocol on the same scanner, the latest first."""
    return session.scalars(
        select(SeriesRow)
        .where(_kin(row), SeriesRow.outcome != "", SeriesRow.last_instance_at <= row.last_instance_at)
        .order_by(SeriesRow.last_instance_at.desc())
        .limit(limit)
    ).all()


def latest_of_scanner(session: Session, scanner: str, limit: int = 6) -> Sequence[SeriesRow]:
    """Return the latest series of a scanner (station name or calling AE title) that concern us, the latest first."""
    return session.scalars(
        select(SeriesRow)
        .where(
            or_(SeriesRow.station_name == scanner, SeriesRow.calling_ae_title == scanner),
            SeriesRow.state != "excluded",
        )
        .order_by(SeriesRow.last_instance_at.desc())
        .limit(limit)
    ).all()


@dataclass(frozen=True, slots=True)
class Judged:
    """The volume that speaks for a series in a list: which revision (id) its pictures are of, and which volume."""

    revision_id: int
    volume_index: int


def speakers(session: Session, uids: Sequence[str]) -> dict[str, Judged]:
    """Return Series Instance UID → the volume whose pictures stand for it: of the latest judged revision, the worst."""
    if not uids:
        return {}
    latest = (
        select(RevisionRow.series_instance_uid, func.max(RevisionRow.id).label("id"))
        .where(RevisionRow.series_instance_uid.in_(uids), RevisionRow.assessed_at.is_not(None))
        .group_by(RevisionRow.series_instance_uid)
        .subquery()
    )
    rows = session.execute(
        select(
            latest.c.series_instance_uid, AssessmentRow.revision_id, AssessmentRow.volume_index, AssessmentRow.score
        ).join(AssessmentRow, AssessmentRow.revision_id == latest.c.id)
    )
    best: dict[str, tuple[float, Judged]] = {}
    for uid, revision_id, volume_index, score in rows:
        key = 101.0 if score is None else float(score)
        if uid not in best or key < best[uid][0]:
            best[uid] = (key, Judged(revision_id, volume_index))
    return {uid: judged for uid, (_, judged) in best.items()}


def state_of_things(session: Session) -> str:
    """Return a short text that changes whenever an image came, something happened or an incident changed.

    Cheap to ask often.
    """
    last = session.scalar(select(func.max(SeriesRow.last_instance_at)))
    event = session.scalar(select(func.max(EventRow.id)))
    incidents = session.execute(
        select(func.max(AlertRow.id), func.count(AlertRow.closed_at), func.count(AlertRow.acknowledged_at))
    ).one()
    return f"{last.timestamp() if last else 0:.6f}-{event or 0}-{'.'.join(str(one or 0) for one in incidents)}"
