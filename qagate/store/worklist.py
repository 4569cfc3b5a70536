"""What people look at: lists of series, one series whole, and the account of what came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, literal, or_, select
from sqlalchemy.orm import Session

from qagate.store.tables import AssessmentRow, DeliveryRow, DocumentRow, EventRow, RevisionRow, SeriesRow


@dataclass(frozen=True, slots=True)
class Filter:
    """Which series to list; an empty value does not narrow. outcome may also be "flagged" (review or reject).

    organ: a word of the region or the organ. scanner: station name or calling AE title. since, until: bounds of the
    time of the last image, the first included, the second not.
    """

    outcome: str = ""
    modality: str = ""
    state: str = ""
    calling_ae_title: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    organ: str = ""
    scanner: str = ""
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Where every received series is: received = accepted + flagged + unscored + excluded + failed + pending."""

    received: int
    accepted: int
    flagged: int
    unscored: int
    excluded: int
    failed: int
    pending: int

    @property
    def unaccounted(self) -> int:
        """Series that are in none of the states: always 0, or something is broken."""
        known = self.accepted + self.flagged + self.unscored + self.excluded + self.failed + self.pending
        return self.received - known


def _conditions(wanted: Filter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.outcome == "flagged":
        conditions.append(SeriesRow.outcome.in_(("review", "reject")))
    elif wanted.outcome:
        conditions.append(SeriesRow.outcome == wanted.outcome)
    if wanted.modality:
        conditions.append(SeriesRow.modality == wanted.modality)
    if wanted.state:
        conditions.append(SeriesRow.state == wanted.state)
    if wanted.calling_ae_title:
        conditions.append(SeriesRow.calling_ae_title == wanted.calling_ae_title)
    if wanted.organ:
        words = literal(" ") + SeriesRow.region + literal(" ") + SeriesRow.organ + literal(" ")
        conditions.append(words.contains(f" {wanted.organ} ", autoescape=True))
    if wanted.scanner:
        conditions.append(or_(SeriesRow.station_name == wanted.scanner, SeriesRow.calling_ae_title == wanted.scanner))
    if wanted.protocol:
        conditions.append(SeriesRow.protocol_name == wanted.protocol)
    if wanted.since is not None:
        conditions.append(SeriesRow.last_instance_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(SeriesRow.last_instance_at < wanted.until)
    if wanted.text:
        pattern = f"%{wanted.text.replace('%', '').replace('_', '')}%"
        conditions.append(
            or_(
                SeriesRow.series_description.ilike(pattern),
                SeriesRow.protocol_name.ilike(pattern),
                SeriesRow.accession_number.ilike(pattern),
                SeriesRow.station_name.ilike(pattern),
                SeriesRow.series_instance_uid == wanted.text,
                SeriesRow.study_instance_uid == wanted.text,
            )
        )
    return conditions


def listing(
    session: Session, wanted: Filter, *, limit: int = 50, offset: int = 0, flagged_first: bool = False
) -> Sequence[SeriesRow]:
    """Return series, the latest first; with flagged_first what a person should look at stands before all else."""
    order: list[Any] = [SeriesRow.last_instance_at.desc(), SeriesRow.series_instance_uid]
    if flagged_first:
        order.insert(0, case((SeriesRow.outcome == "reject", 0), (SeriesRow.outcome == "review", 1), else_=2))
    return session.scalars(
        select(SeriesRow).where(*_conditions(wanted)).order_by(*order).limit(limit).offset(offset)
    ).all()


def outcome_counts(session: Session, wanted: Filter) -> dict[str, int]:
    """Return how many series of a filter have each outcome ("" = none yet); its own outcome does not narrow."""
    rows = session.execute(
        select(SeriesRow.outcome, func.count())
        .where(*_conditions(replace(wanted, outcome="")))
        .group_by(SeriesRow.outcome)
    )
    return {str(outcome): int(number) for outcome, number in rows}


def choices(session: Session, *, since: datetime, limit: int = 200) -> dict[str, list[str]]:
    """Return the values that a person can filter by, of the series since then: modality, organ, scanner, protocol."""
    columns = (
        SeriesRow.modality,
        SeriesRow.region,
        SeriesRow.organ,
        SeriesRow.station_name,
        SeriesRow.calling_ae_title,
        SeriesRow.protocol_name,
    )
    found: list[set[str]] = []
    for column in columns:
        rows = session.scalars(select(column).where(SeriesRow.last_instance_at >= since).distinct().limit(limit))
        found.append({value for value in rows if value})
    modalities, regions, organs, stations, titles, protocols = found
    return {
        "modality": sorted(modalities),
        "organ": sorted({word for words in regions for word in words.split()} | organs),
        "scanner": sorted(stations | titles),
        "protocol": sorted(protocols),
    }


def count(session: Session, wanted: Filter) -> int:
    """Return how many series a filter lists."""
    return session.scalar(select(func.count()).select_from(SeriesRow).where(*_conditions(wanted))) or 0


def account(session: Session, *, since: datetime | None = None, until: datetime | None = None) -> Account:
    """Return where the series of a period are, by the time of their last image."""
    rows = session.execute(
        select(SeriesRow.state, SeriesRow.outcome, func.count())
        .where(*_conditions(Filter(since=since, until=until)))
        .group_by(SeriesRow.state, SeriesRow.outcome)
    )
    totals = dict.fromkeys(("accepted", "flagged", "unscored", "excluded", "failed", "pending"), 0)
    received = 0
    for state, outcome, number in rows:
        received += number
        if state in ("receiving", "queued"):
            totals["pending"] += number
        elif state in ("excluded", "failed"):
            totals[state] += number
        else:
            kind = {"accept": "accepted", "review": "flagged", "reject": "flagged", "unscored": "unscored"}.get(outcome)
            if kind:
                totals[kind] += number
    return Account(received=received, **totals)


def series(session: Session, series_instance_uid: str) -> SeriesRow | None:
    """Return one series."""
    return session.get(SeriesRow, series_instance_uid)


def revisions(session: Session, series_instance_uid: str) -> Sequence[RevisionRow]:
    """Return the revisions of a series, newest first."""
    return session.scalars(
        select(RevisionRow)
        .where(RevisionRow.series_instance_uid == series_instance_uid)
        .order_by(RevisionRow.number.desc())
    ).all()


def assessments(session: Session, revision_id: int) -> Sequence[AssessmentRow]:
    """Return what was said about each volume of a revision."""
    return session.scalars(
        select(AssessmentRow).where(AssessmentRow.revision_id == revision_id).order_by(AssessmentRow.volume_index)
    ).all()


def documents(session: Session, revision_id: int) -> Sequence[tuple[DocumentRow, Sequence[DeliveryRow]]]:
    """Return the documents of a revision with their deliveries."""
    rows = session.scalars(select(DocumentRow).where(DocumentRow.revision_id == revision_id).order_by(DocumentRow.id))
    return [
        (
            row,
            session.scalars(
                select(DeliveryRow).where(DeliveryRow.document_id == row.id).order_by(DeliveryRow.destination)
            ).all(),
        )
        for row in rows.all()
    ]


def events(session: Session, series_instance_uid: str) -> Sequence[EventRow]:
    """Return the trail of a series, oldest first."""
    return session.scalars(
        select(EventRow).where(EventRow.series_instance_uid == series_instance_uid).order_by(EventRow.id)
    ).all()


def delivery_counts(session: Session) -> dict[tuple[str, str], int]:
    """Return how many deliveries are in each state: (destination, state) → number."""
    rows = session.execute(
        select(DeliveryRow.destination, DeliveryRow.state, func.count()).group_by(
            DeliveryRow.destination, DeliveryRow.state
        )
    )
    return {(destination, state): number for destination, state, number in rows}
