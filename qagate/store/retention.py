"""Which series may leave the disk: those that ended, were delivered whole, and are old enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, true, update
from sqlalchemy.orm import Session

from qagate.store.tables import DeliveryRow, DocumentRow, ForwardRow, HoldingRow, InstanceRow, RevisionRow, SeriesRow

ENDED = ("delivered", "excluded")


@dataclass(frozen=True, slots=True)
class Expired:
    """One series and its files. last_instance_at: its place in the order of `expired`, with the UID."""

    series_instance_uid: str
    last_instance_at: datetime
    objects: tuple[str, ...]
    documents: tuple[str, ...]
    revision_ids: tuple[int, ...]


def expired(
    session: Session,
    *,
    before: datetime,
    limit: int,
    committing: Sequence[str] = (),
    rejected_before: datetime | None = None,
    after: Expired | None = None,
) -> tuple[Expired, ...]:
    """Return series whose last image came before a time and of which nothing waits or is parked, the oldest first.

    committing: destinations that must have promised to keep the originals they took. rejected_before: series that a
    person rejected before then may go with originals that went nowhere; None: never. after: those behind this one.
    """
    waiting = (
        select(RevisionRow.series_instance_uid)
        .join(DocumentRow, DocumentRow.revision_id == RevisionRow.id)
        .join(DeliveryRow, DeliveryRow.document_id == DocumentRow.id)
        .where(DeliveryRow.state.in_(("planned", "parked")))
    )
    on_their_way: list[ColumnElement[bool]] = [ForwardRow.state.in_(("held", "planned", "parked"))]
    if committing:
        on_their_way.append(ForwardRow.state.in_(("sent", "warning")) & ForwardRow.destination.in_(committing))
    kept_back: ColumnElement[bool] = ForwardRow.state == "rejected"
    if rejected_before is not None:
        long_ago = select(HoldingRow.series_instance_uid).where(HoldingRow.decided_at < rejected_before)
        kept_back = kept_back & ForwardRow.series_instance_uid.not_in(long_ago)
    original = select(ForwardRow.id).where(
        ForwardRow.series_instance_uid == SeriesRow.series_instance_uid, or_(*on_their_way, kept_back)
    )
    place = SeriesRow.last_instance_at, SeriesRow.series_instance_uid
    at, uid = place
    behind = (
        true()
        if after is None
        else or_(at > after.last_instance_at, and_(at == after.last_instance_at, uid > after.series_instance_uid))
    )
    rows = session.execute(
        select(*place)
        .where(
            behind,
            SeriesRow.state.in_(ENDED),
            SeriesRow.last_instance_at < before,
            SeriesRow.series_instance_uid.not_in(waiting),
            ~original.exists(),
            select(InstanceRow.id)
            .where(InstanceRow.series_instance_uid == SeriesRow.series_instance_uid, InstanceRow.deleted_at.is_(None))
            .exists(),
        )
        .order_by(*place)
        .limit(limit)
    ).all()
    return tuple(_files(session, uid, at) for at, uid in rows)


def _files(session: Session, uid: str, at: datetime) -> Expired:
    objects = session.scalars(
        select(InstanceRow.path).where(InstanceRow.series_instance_uid == uid, InstanceRow.deleted_at.is_(None))
    )
    revisions = session.scalars(select(RevisionRow.id).where(RevisionRow.series_instance_uid == uid)).all()
    variants = session.scalars(select(DocumentRow.variants).where(DocumentRow.revision_id.in_(revisions)))
    return Expired(uid, at, tuple(objects), tuple(path for paths in variants for path in paths), tuple(revisions))


def forget(session: Session, series_instance_uid: str, *, before: datetime, at: datetime) -> bool:
    """Record that the objects of a series are no longer in the spool; False when they are needed again meanwhile.

    before: as in `expired`, which was asked some time ago: an image that came since then has opened the series again.
    """
    series = session.get(SeriesRow, series_instance_uid, with_for_update=True)
    if series is None or series.state not in ENDED or series.last_instance_at >= before:
        return False
    needed = select(ForwardRow.id).where(
        ForwardRow.series_instance_uid == series_instance_uid, ForwardRow.state.in_(("held", "planned", "parked"))
    )
    if session.scalar(needed.limit(1)) is not None:
        return False
    session.execute(
        update(InstanceRow)
        .where(InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.deleted_at.is_(None))
        .values(deleted_at=at)
    )
    return True


def gone(session: Session, series_instance_uid: str) -> int:
    """Return how many objects of a series have left the spool."""
    return len(
        session.scalars(
            select(InstanceRow.id).where(
                InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.deleted_at.is_not(None)
            )
        ).all()
    )
