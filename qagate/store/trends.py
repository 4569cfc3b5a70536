"""Points of the trends: written with each verdict, read by day. Notes of people beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qagate.domain.assessment import Assessment
from qagate.domain.verdict import Verdict
from qagate.store.tables import AnnotationRow, PointRow, SeriesRow

REPEATED_WITHIN = timedelta(minutes=30)
"""The same series description again in the same examination, so soon, is a repeat."""

MOST_POINTS = 200_000
"""More points than this are not drawn: the latest are."""


@dataclass(frozen=True, slots=True)
class Point:
    """One judged series, as far as the overview needs it."""

    scanner: str
    protocol: str
    modality: str
    organ: str
    at: datetime
    outcome: str
    score: float | None
    seconds_to_verdict: float
    judged_by: str
    repeated: bool

    @property
    def flagged(self) -> bool:
        """Whether a person should have looked."""
        return self.outcome in ("review", "reject")


def note(
    session: Session,
    series: SeriesRow,
    assessment: Assessment,
    verdict: Verdict,
    at: datetime,
    *,
    waited_since: datetime | None = None,
) -> None:
    """Write the point of a series, replacing that of an earlier revision; and mark what it repeats.

    waited_since: from when on it waited for its verdict; the time of its last image when absent.
    """
    model = assessment.model
    session.merge(
        PointRow(
            series_instance_uid=series.series_instance_uid,
            at=series.last_instance_at,
            scanner=series.station_name or series.calling_ae_title,
            protocol=series.protocol_name or series.series_description,
            modality=series.modality,
            organ=series.organ or series.region.partition(" ")[0],
            outcome=series.outcome,
            score=series.score,
            seconds_to_verdict=max((at - (waited_since or series.last_instance_at)).total_seconds(), 0.0),
            model=f"{model.name} {model.version} {model.sha256[:8]}"[:128] if model else "",
            policy=verdict.policy,
            repeated=False,
            attributes={name: round(float(value), 3) for name, value in assessment.attributes.items()},
            physics={one.name: float(f"{one.value:.4g}") for one in assessment.physics},
        )
    )
    if series.series_description:
        before = select(SeriesRow.series_instance_uid).where(
            SeriesRow.study_instance_uid == series.study_instance_uid,
            SeriesRow.series_description == series.series_description,
            SeriesRow.protocol_name == series.protocol_name,
            SeriesRow.station_name == series.station_name,
            SeriesRow.series_instance_uid != series.series_instance_uid,
            SeriesRow.last_instance_at.between(series.last_instance_at - REPEATED_WITHIN, series.last_instance_at),
        )
        session.execute(update(PointRow).where(PointRow.series_instance_uid.in_(before)).values(repeated=True))


def points(
    session: Session,
    *,
    since: datetime,
    scanner: str = "",
    protocol: str = "",
    organ: str = "",
    modality: str = "",
    veiled: bool = False,
) -> list[Point]:
    """Return the points since a time, oldest first, MOST_POINTS at most; times are in the machine's own zone.

    veiled: without those of series whose verdict is hidden; a day may have no other, and its median would tell.
    """
    query = select(
        PointRow.scanner,
        PointRow.protocol,
        PointRow.modality,
        PointRow.organ,
        PointRow.at,
        PointRow.outcome,
        PointRow.score,
        PointRow.seconds_to_verdict,
        (PointRow.model + " · " + PointRow.policy).label("judged_by"),
        PointRow.repeated,
    ).where(*_conditions(since, scanner, protocol, organ, modality, veiled))
    rows = session.execute(query.order_by(PointRow.at.desc()).limit(MOST_POINTS)).all()
    return [Point(**{**row._asdict(), "at": row.at.astimezone()}) for row in reversed(rows)]


def measures(
    session: Session, *, since: datetime, scanner: str, protocol: str, veiled: bool = False
) -> list[tuple[datetime, str, float]]:
    """Return (time, name, value) of attributes ("attribute:noise") and measurements ("physics:noise_hu"), in time.

    Times are in the machine's own zone. veiled: as in points.
    """
    rows = session.execute(
        select(PointRow.at, PointRow.attributes, PointRow.physics)
        .where(*_conditions(since, scanner, protocol, "", "", veiled))
        .order_by(PointRow.at.desc())
        .limit(MOST_POINTS // 10)
    ).all()
    return [
        (at.astimezone(), f"{kind}:{name}", float(value))
        for at, attributes, physics in reversed(rows)
        for kind, values in (("attribute", attributes), ("physics", physics))
        for name, value in values.items()
    ]


def _conditions(since: datetime, scanner: str, protocol: str, organ: str, modality: str, veiled: bool) -> list[Any]:
    conditions: list[Any] = [PointRow.at >= since]
    if veiled:
        hidden = select(SeriesRow.series_instance_uid).where(SeriesRow.hidden.is_(True))
        conditions.append(PointRow.series_instance_uid.not_in(hidden))
    for column, value in (
        (PointRow.scanner, scanner),
        (PointRow.protocol, protocol),
        (PointRow.organ, organ),
        (PointRow.modality, modality),
    ):
        if value:
            conditions.append(column == value)
    return conditions


def annotate(
    session: Session, *, day: datetime, scanner: str, protocol: str, words: str, restarts: bool, by: str, at: datetime
) -> int:
    """Keep a note; returns its id."""
    row = AnnotationRow(
        at=day, scanner=scanner, protocol=protocol, words=words, restarts=restarts, by=by, written_at=at
    )
    session.add(row)
    session.flush()
    return row.id


def remove(session: Session, annotation_id: int) -> AnnotationRow | None:
    """Take a note away; returns what it was, None when there is none of this id."""
    row = session.get(AnnotationRow, annotation_id)
    if row is not None:
        session.delete(row)
    return row


def notes(session: Session, *, since: datetime, scanner: str = "") -> Sequence[AnnotationRow]:
    """Return the notes since a time, oldest first."""
    query = select(AnnotationRow).where(AnnotationRow.at >= since)
    if scanner:
        query = query.where(AnnotationRow.scanner == scanner)
    return session.scalars(query.order_by(AnnotationRow.at)).all()
