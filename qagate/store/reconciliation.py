"""The daily comparison with archives: what they have and never came here, what they took from us and do not hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.store.events import event
from qagate.store.tables import DeliveryRow, DocumentRow, ReconciliationRow, RevisionRow, SeriesRow

AGREED, DIFFERS, FAILED = "agreed", "differs", "failed"


@dataclass(frozen=True, slots=True)
class Compared:
    """One day's comparison with one archive; see ReconciliationRow for the fields."""

    destination: str
    day: str
    made_at: datetime
    held: int = 0
    checked: int = 0
    unseen: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    detail: str = ""

    @property
    def state(self) -> str:
        """Whether it could be made, and what came of it."""
        return FAILED if self.detail else DIFFERS if self.unseen or self.absent else AGREED

    @property
    def words(self) -> str:
        """What a person reads."""
        if self.detail:
            return f"could not be compared for {self.day}: {self.detail}"
        if self.state == AGREED:
            return f"agrees on {self.day}: {self.held} series, {self.checked} documents"
        return (
            f"differs on {self.day}: {len(self.unseen)} of its {self.held} series never came here, "
            f"{len(self.absent)} of our {self.checked} documents are not there"
        )


@dataclass(frozen=True, slots=True)
class Delivered:
    """One document that an archive took."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


def record(session: Session, compared: Compared) -> None:
    """Record a comparison; a later one of the same day stands for the earlier one."""
    row = _row(session, compared.destination, compared.day)
    if row is None:
        row = ReconciliationRow(destination=compared.destination, day=compared.day)
        session.add(row)
    row.state, row.made_at, row.detail = compared.state, compared.made_at, compared.detail
    row.held, row.checked = compared.held, compared.checked
    row.unseen, row.absent = list(compared.unseen), list(compared.absent)
    event(session, compared.made_at, "reconciled", detail=f"{compared.destination} {compared.words}")


def get(session: Session, destination: str, day: str) -> Compared | None:
    """Return the comparison of one day with one archive; None when there is none."""
    row = _row(session, destination, day)
    return _compared(row) if row is not None else None


def latest(session: Session) -> tuple[Compared, ...]:
    """Return the newest comparison with each archive."""
    newest: dict[str, Compared] = {}
    for row in session.scalars(select(ReconciliationRow).order_by(ReconciliationRow.day.desc()).limit(100)):
        newest.setdefault(row.destination, _compared(row))
    return tuple(newest[name] for name in sorted(newest))


def seen(session: Session, series_instance_uids: Collection[str]) -> frozenset[str]:
    """Return those of some series that have come here."""
    found: set[str] = set()
    uids = sorted(series_instance_uids)
    for start in range(0, len(uids), 500):
        some = uids[start : start + 500]
        found |= set(
            session.scalars(select(SeriesRow.series_instance_uid).where(SeriesRow.series_instance_uid.in_(some)))
        )
    return frozenset(found)


def delivered(session: Session, destination: str, *, since: datetime, until: datetime) -> Sequence[Delivered]:
    """Return the documents that an archive took in a period and has not committed to keep."""
    rows = session.execute(
        select(SeriesRow.study_instance_uid, DocumentRow.series_instance_uid, DeliveryRow.sop_instance_uid)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .join(RevisionRow, RevisionRow.id == DocumentRow.revision_id)
        .join(SeriesRow, SeriesRow.series_instance_uid == RevisionRow.series_instance_uid)
        .where(
            DeliveryRow.destination == destination,
            DeliveryRow.state.in_(("sent", "warning")),
            DeliveryRow.sent_at >= since,
            DeliveryRow.sent_at < until,
        )
        .order_by(DeliveryRow.id)
    )
    return [Delivered(study, series, sop) for study, series, sop in rows]


def _row(session: Session, destination: str, day: str) -> ReconciliationRow | None:
    return session.scalar(
        select(ReconciliationRow).where(ReconciliationRow.destination == destination, ReconciliationRow.day == day)
    )


def _compared(row: ReconciliationRow) -> Compared:
    return Compared(
        row.destination, row.day, row.made_at, row.held, row.checked, tuple(row.unseen), tuple(row.absent), row.detail
    )
