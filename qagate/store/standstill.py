"""Standstills: what should have gone on to a destination some time ago and did not."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from qagate.domain.obstacle import Obstacle
from qagate.store import destinations
from qagate.store.events import LEFT_OUT
from qagate.store.forwarding import HELD, PLANNED, SENT, WARNING
from qagate.store.tables import DeliveryRow, DocumentRow, EventRow, ForwardRow, HoldingRow, InstanceRow

_LATELY = 500
"""Lines of the trail of the node itself that are looked at."""

_TRIED_IN_VAIN = (Obstacle.UNREACHABLE, Obstacle.NOT_NOW)


def not_taken(session: Session, *, before: datetime) -> set[str]:
    """Return the destinations that do not take what came, or was written, before a time: it is tried in vain."""
    documents = (
        select(DeliveryRow.destination)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .where(DeliveryRow.state == PLANNED, DeliveryRow.obstacle.in_(_TRIED_IN_VAIN), DocumentRow.created_at < before)
        .distinct()
    )
    found = set(session.scalars(documents))
    for name in destinations.of_images(session):
        images = (
            select(ForwardRow.id)
            .join(InstanceRow, InstanceRow.id == ForwardRow.instance_id)
            .where(*_at(name, PLANNED), ForwardRow.obstacle.in_(_TRIED_IN_VAIN), InstanceRow.received_at < before)
        )
        if session.scalar(images.limit(1)) is not None:
            found.add(name)
    return found


def not_tried(session: Session, *, before: datetime) -> set[str]:
    """Return the destinations for which something is due since before a time and nobody has tried to send anything.

    Or lets it go: images whose deadline has passed, or about which nothing was decided, wait for the same process.
    """
    never = DeliveryRow.state == PLANNED, DeliveryRow.attempts == 0, DeliveryRow.next_attempt_at < before
    # what waits behind others in a long queue is not waited for in vain
    lately = select(DeliveryRow.destination).where(
        or_(
            DeliveryRow.sent_at >= before,
            and_(DeliveryRow.state == PLANNED, DeliveryRow.attempts > 0, DeliveryRow.next_attempt_at >= before),
        )
    )
    names = session.scalars(select(DeliveryRow.destination).where(*never).distinct()).all()
    found = {name for name in names if session.scalar(lately.where(DeliveryRow.destination == name).limit(1)) is None}
    for name in destinations.of_images(session):
        waiting = (_unsent(name, before), _kept(name, before))
        if any(session.scalar(query.limit(1)) is not None for query in waiting):
            found.add(name)
    return found


def _unsent(destination: str, before: datetime) -> Select[int]:
    other = aliased(ForwardRow)
    lately = select(other.id).where(
        other.destination == destination,
        other.state == PLANNED,
        or_(other.claimed_until >= before, and_(other.attempts > 0, other.next_attempt_at >= before)),
    )
    return select(ForwardRow.id).where(
        *_at(destination, PLANNED), ForwardRow.attempts == 0, ForwardRow.next_attempt_at < before, ~lately.exists()
    )


def _kept(destination: str, before: datetime) -> Select[int]:
    of_series = HoldingRow.series_instance_uid == ForwardRow.series_instance_uid
    over = select(HoldingRow.state).where(of_series, HoldingRow.state == HELD, HoldingRow.until < before)
    undecided = ~select(HoldingRow.state).where(of_series).exists() & (ForwardRow.next_attempt_at < before)
    return select(ForwardRow.id).where(*_at(destination, HELD), or_(over.exists(), undecided))


def _at(destination: str, state: str) -> tuple[ColumnElement[bool], ...]:
    return ForwardRow.destination == destination, ForwardRow.state == state


def not_promised(session: Session, names: Collection[str], *, before: datetime) -> set[str]:
    """Return those of some destinations that took an image before a time and have not promised to keep it.

    Or that take it again and again, and say each time that they do not keep it.
    """
    found = set()
    for name in names:
        silent = ForwardRow.state.in_((SENT, WARNING)), ForwardRow.sent_at < before
        again = (
            ForwardRow.state.in_((SENT, WARNING, PLANNED)),
            ForwardRow.obstacle == Obstacle.NOT_KEPT,
            InstanceRow.received_at < before,
        )
        taken = (
            select(ForwardRow.id)
            .join(InstanceRow, InstanceRow.id == ForwardRow.instance_id)
            .where(ForwardRow.destination == name, or_(and_(*silent), and_(*again)))
        )
        if session.scalar(taken.limit(1)) is not None:
            found.add(name)
    return found


def left_out(session: Session, *, since: datetime) -> bool:
    """Return whether the database did not take an object of the spool since a time: nobody will judge or forward it."""
    of_the_node = select(EventRow.what, EventRow.at).where(EventRow.series_instance_uid == "")
    lately = session.execute(of_the_node.order_by(EventRow.id.desc()).limit(_LATELY))
    return any(what == LEFT_OUT and at >= since for what, at in lately)
