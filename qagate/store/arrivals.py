"""Arrivals: how far the reception of each series is, and whether a sender broke off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, not_, select, update
from sqlalchemy.orm import Session, aliased

from qagate.store.tables import AssociationRow, InstanceRow, SeriesRow


@dataclass(frozen=True, slots=True)
class SeriesArrival:
    """How far the reception of one series is, for the decision whether it is complete.

    open_associations: those that carried an instance of it and still last. last_closed_at: when the last of the others
    closed. aborted: whether one of those that carried it broke off, and the sender did not take it up again.
    """

    series_instance_uid: str
    instances: int
    last_instance_at: datetime
    open_associations: int
    last_closed_at: datetime | None
    aborted: bool


def every(session: Session) -> tuple[SeriesArrival, ...]:
    """Return how far each series that is being received is."""
    rows = session.execute(
        select(
            SeriesRow.series_instance_uid,
            SeriesRow.instances,
            SeriesRow.last_instance_at,
            func.count(AssociationRow.id.distinct()).filter(AssociationRow.closed_at.is_(None)),
            func.max(AssociationRow.closed_at),
            func.count(AssociationRow.id.distinct()).filter(_broken_off()),
        )
        .outerjoin(  # none when it was opened again by what others say of it
            InstanceRow,
            and_(InstanceRow.series_instance_uid == SeriesRow.series_instance_uid, InstanceRow.revision.is_(None)),
        )
        .outerjoin(AssociationRow, AssociationRow.id == InstanceRow.association_id)
        .where(SeriesRow.state == "receiving")
        .group_by(SeriesRow.series_instance_uid, SeriesRow.instances, SeriesRow.last_instance_at)
        .order_by(SeriesRow.last_instance_at)
    )
    return tuple(
        SeriesArrival(uid, n, last, open_, closed, bool(aborted)) for uid, n, last, open_, closed, aborted in rows
    )


def _broken_off() -> Any:
    """Whether an association that brought an instance ended without a release, and its sender did not come back.

    It came back when it opened another one afterwards that carried images of the same series, and released it: it then
    had nothing left to send, whether it began anew or went on with what was missing.
    """
    later, brought = aliased(AssociationRow), aliased(InstanceRow)
    taken_up = (
        select(later.id)
        .join(brought, brought.association_id == later.id)
        .where(
            brought.series_instance_uid == InstanceRow.series_instance_uid,
            later.calling_ae_title == AssociationRow.calling_ae_title,
            later.opened_at >= AssociationRow.closed_at,
            later.closed_at.is_not(None),
            not_(later.aborted),
        )
        .exists()
    )
    return and_(AssociationRow.aborted, not_(taken_up))


def broke_off(session: Session, series_instance_uid: str) -> bool:
    """Whether a sender of this series broke off and did not take it up again: images may be missing."""
    return (
        session.scalar(
            select(AssociationRow.id)
            .join(InstanceRow, InstanceRow.association_id == AssociationRow.id)
            .where(InstanceRow.series_instance_uid == series_instance_uid, _broken_off())
            .limit(1)
        )
        is not None
    )


def restamp(session: Session, series_instance_uid: str, *, at: datetime) -> None:
    """Let a series' quiet time start at a time, after the clock stepped back behind what was noted."""
    session.execute(
        update(SeriesRow).where(SeriesRow.series_instance_uid == series_instance_uid).values(last_instance_at=at)
    )
    associations = select(InstanceRow.association_id).where(InstanceRow.series_instance_uid == series_instance_uid)
    session.execute(
        update(AssociationRow)
        .where(AssociationRow.id.in_(associations), AssociationRow.closed_at > at)
        .values(closed_at=at)
    )
