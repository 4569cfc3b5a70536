"""What did not reach its destination yet: documents of ours and forwarded images, and trying them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from qagate.store import destinations as ways
from qagate.store import forwarding, outbox, patience
from qagate.store.tables import DeliveryRow, DocumentRow, ForwardRow, RevisionRow, SeriesRow

WAITING = ("parked", "planned", "held")
"""States of what is not there yet, the worst first."""

Query = Select[str, str, str, str, int, int, datetime, str]
"""Of the columns of `Undelivered` that are not of the series itself."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What of one series waits for one destination, alike in state.

    what: "SR", "SC", "KO", or "images". number: how many of them. attempts: of the one tried most often.
    next_attempt_at: of the first that is due; None for what nobody tries. detail: what the destination said last.
    """

    series_instance_uid: str
    series_description: str
    station_name: str
    destination: str
    what: str
    state: str
    number: int
    attempts: int
    next_attempt_at: datetime | None
    detail: str


def counts(session: Session) -> dict[str, dict[str, int]]:
    """Return how much is not there yet: destination → state → number of documents and images."""
    found: dict[str, dict[str, int]] = {}
    images = _counted(ForwardRow).where(ForwardRow.destination.in_(ways.of_images(session)))
    for query in (_counted(DeliveryRow), images):
        for destination, state, number in session.execute(query):
            states = found.setdefault(destination, {})
            states[state] = states.get(state, 0) + int(number)
    return found


def listed(session: Session, *, destination: str = "", limit: int = 200) -> tuple[Undelivered, ...]:
    """Return what is not there yet, parked first, then by the time of its next try. destination: of this one only."""
    destinations = [destination] if destination else ways.of_images(session)
    both = union_all(_documents(destination), _images(destinations)).subquery()
    worst = case({state: place for place, state in enumerate(WAITING)}, value=both.c.state)
    query = (
        select(both, SeriesRow.series_description, SeriesRow.station_name)
        .join(SeriesRow, SeriesRow.series_instance_uid == both.c.series_instance_uid)
        .order_by(worst, both.c.next_attempt_at, both.c.series_instance_uid, both.c.what)
    )
    rows = session.execute(query.limit(limit))
    return tuple(_undelivered(row) for row in rows.mappings())


def try_again(session: Session, destination: str, *, at: datetime) -> int:
    """Plan what is parked for a destination and let what waits go now; returns how many were parked."""
    parked = outbox.requeue(session, destination=destination, at=at)
    parked += forwarding.requeue(session, destination=destination, at=at)
    for table in (DeliveryRow, ForwardRow):
        patience.end(session, table, destination, at=at)
    return parked


def _counted(table: type[DeliveryRow | ForwardRow]) -> Select[str, str, int]:
    query = select(table.destination, table.state, func.count()).where(table.state.in_(WAITING))
    return query.group_by(table.destination, table.state)


def _documents(destination: str) -> Query:
    query = (
        select(
            RevisionRow.series_instance_uid.label("series_instance_uid"),
            DeliveryRow.destination.label("destination"),
            DocumentRow.kind.label("what"),
            DeliveryRow.state.label("state"),
            literal(1).label("number"),
            DeliveryRow.attempts.label("attempts"),
            DeliveryRow.next_attempt_at.label("next_attempt_at"),
            DeliveryRow.detail.label("detail"),
        )
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .join(RevisionRow, RevisionRow.id == DocumentRow.revision_id)
        .where(DeliveryRow.state.in_(WAITING))
    )
    return query.where(DeliveryRow.destination == destination) if destination else query


def _images(destinations: list[str]) -> Query:
    query = select(
        ForwardRow.series_instance_uid.label("series_instance_uid"),
        ForwardRow.destination.label("destination"),
        literal("images").label("what"),
        ForwardRow.state.label("state"),
        func.count().label("number"),
        func.max(ForwardRow.attempts).label("attempts"),
        func.min(ForwardRow.next_attempt_at).label("next_attempt_at"),
        func.max(ForwardRow.detail).label("detail"),
    ).where(ForwardRow.destination.in_(destinations), ForwardRow.state.in_(WAITING))
    return query.group_by(ForwardRow.series_instance_uid, ForwardRow.destination, ForwardRow.state)


def _undelivered(row: Mapping[Any, Any]) -> Undelivered:
    tried = row["next_attempt_at"] if row["state"] == "planned" else None
    return Undelivered(**{**row, "next_attempt_at": tried})
