"""Which series may leave the disk: those that ended, were delivered whole, and are old enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qagate.store.tables import DeliveryRow, DocumentRow, InstanceRow, RevisionRow, SeriesRow

ENDED = ("delivered", "excluded")


@dataclass(frozen=True, slots=True)
class Expired:
    """One series and its files."""

    series_instance_uid: str
    objects: tuple[str, ...]
    documents: tuple[str, ...]
    revision_ids: tuple[int, ...]


def expired(session: Session, *, before: datetime, limit: int) -> tuple[Expired, ...]:
    """Return series whose last image came before a time and of which nothing waits or is parked."""
    waiting = (
        select(RevisionRow.series_instance_uid)
        .join(DocumentRow, DocumentRow.revision_id == RevisionRow.id)
        .join(DeliveryRow, DeliveryRow.document_id == DocumentRow.id)
        .where(DeliveryRow.state.in_(("planned", "parked")))
    )
    uids = session.scalars(
        select(SeriesRow.series_instance_uid)
        .where(
            SeriesRow.state.in_(ENDED),
            SeriesRow.last_instance_at < before,
            SeriesRow.series_instance_uid.not_in(waiting),
            select(InstanceRow.id)
            .where(InstanceRow.series_instance_uid == SeriesRow.series_instance_uid, InstanceRow.deleted_at.is_(None))
            .exists(),
        )
        .order_by(SeriesRow.last_instance_at)
        .limit(limit)
    ).all()
    return tuple(_files(session, uid) for uid in uids)


def _files(session: Session, uid: str) -> Expired:
    objects = session.scalars(
        select(InstanceRow.path).where(InstanceRow.series_instance_uid == uid, InstanceRow.deleted_at.is_(None))
    )
    revisions = session.scalars(select(RevisionRow.id).where(RevisionRow.series_instance_uid == uid)).all()
    variants = session.scalars(select(DocumentRow.variants).where(DocumentRow.revision_id.in_(revisions)))
    return Expired(uid, tuple(objects), tuple(path for paths in variants for path in paths), tuple(revisions))


def forget(session: Session, series_instance_uid: str, *, at: datetime) -> None:
    """Record that the objects of a series are no longer in the spool."""
    session.execute(
        update(InstanceRow)
        .where(InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.deleted_at.is_(None))
        .values(deleted_at=at)
    )


def gone(session: Session, series_instance_uid: str) -> int:
    """Return how many objects of a series have left the spool."""
    return len(
        session.scalars(
            select(InstanceRow.id).where(
                InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.deleted_at.is_not(None)
            )
        ).all()
    )
