"""Pruning: rows that nobody asks for any more, found a page at a time and deleted a page at a time.

What people decided, verdicts, scores and the audit trail are never among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from qagate.store.commitments import ANSWERED, GIVEN_UP
from qagate.store.retention import ENDED
from qagate.store.tables import (
    AssociationRow,
    Base,
    CommitmentRow,
    EventRow,
    ForwardRow,
    InquiryRow,
    InstanceRow,
    SeriesRow,
)

IN_TRANSIT = ("held", "planned", "parked", "rejected")
"""States of an image that has a way before it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of row. place: its order, about that of time. old: whether it may go unless it is needed."""

    name: str
    table: type[Base]
    key: InstrumentedAttribute[Any]
    place: tuple[InstrumentedAttribute[Any], ...]
    old: ColumnElement[bool]
    needed: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Page:
    """A look at some rows. keys: of those that may go. last: the place of the last one, None when there are no more."""

    keys: tuple[Any, ...]
    last: tuple[Any, ...] | None


def events(before: datetime) -> Kind:
    """Return the trails of series. The latest stays: SQLite gives its number to the next one otherwise."""
    other = aliased(EventRow)
    latest = select(func.max(other.id)).scalar_subquery()
    return Kind("events", EventRow, EventRow.id, (EventRow.id,), EventRow.at < before, EventRow.id == latest)


def associations(before: datetime) -> Kind:
    """Return the associations that ended, unless an image that one brought is still in the spool."""
    brought = select(InstanceRow.id).where(
        InstanceRow.association_id == AssociationRow.id, InstanceRow.deleted_at.is_(None)
    )
    place = AssociationRow.closed_at, AssociationRow.id
    return Kind(
        "associations", AssociationRow, AssociationRow.id, place, AssociationRow.closed_at < before, brought.exists()
    )


def commitments(before: datetime) -> Kind:
    """Return the requests of scanners for storage commitment that were answered or given up."""
    open_one = CommitmentRow.state.not_in((ANSWERED, GIVEN_UP))
    asked = CommitmentRow.asked_at < before
    return Kind("commitments", CommitmentRow, CommitmentRow.id, (CommitmentRow.id,), asked, open_one)


def inquiries(before: datetime) -> Kind:
    """Return what archives said of series that have ended, or are not in the database."""
    of_series = SeriesRow.series_instance_uid == InquiryRow.series_instance_uid
    going_on = select(SeriesRow.state).where(
        of_series, or_(SeriesRow.state.not_in(ENDED), SeriesRow.last_instance_at >= before)
    )
    old = or_(InquiryRow.asked_at.is_(None), InquiryRow.asked_at < before)
    return Kind("inquiries", InquiryRow, InquiryRow.id, (InquiryRow.id,), old, going_on.exists())


def forwards(before: datetime) -> Kind:
    """Return the ways of images that came to their end and whose file has left the spool."""
    of_image = InstanceRow.id == ForwardRow.instance_id
    came = select(InstanceRow.received_at).where(of_image).scalar_subquery()
    there = select(InstanceRow.id).where(
        of_image, or_(InstanceRow.deleted_at.is_(None), InstanceRow.deleted_at >= before)
    )
    needed = or_(ForwardRow.state.in_(IN_TRANSIT), there.exists())
    return Kind("forwards", ForwardRow, ForwardRow.id, (ForwardRow.id,), came < before, needed)


def page(session: Session, kind: Kind, *, after: tuple[Any, ...] | None, limit: int) -> Page:
    """Look at the rows behind a place; the last page is the first on which none is old enough."""
    behind = [column.is_not(None) for column in kind.place] if after is None else [_behind(kind.place, after)]
    query = select(kind.key, kind.old, kind.needed, *kind.place).where(*behind).order_by(*kind.place).limit(limit)
    rows = session.execute(query).all()
    keys = tuple(row[0] for row in rows if row[1] and not row[2])
    goes_on = len(rows) == limit and any(row[1] for row in rows)
    return Page(keys, tuple(rows[-1][3:]) if goes_on else None)


def remove(session: Session, kind: Kind, keys: Sequence[Any]) -> int:
    """Delete rows, unless one is needed again since it was looked at; returns how many."""
    gone = delete(kind.table).where(kind.key.in_(keys), kind.old, ~kind.needed)
    return len(session.execute(gone.returning(kind.key)).all())


def _behind(place: tuple[InstrumentedAttribute[Any], ...], after: tuple[Any, ...]) -> ColumnElement[bool]:
    first, *others = place
    found: ColumnElement[bool] = first > after[0]
    return or_(found, and_(first == after[0], others[0] > after[1])) if others else found
