"""The outbox: which document still has to reach which destination. Intent is written first, the act recorded after."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from qagate.domain.obstacle import Obstacle
from qagate.store import notes, patience
from qagate.store.events import event
from qagate.store.tables import DeliveryRow, DocumentRow, RevisionRow, SeriesRow

WITHDRAWN = "withdrawn"
"""State of a rejection note that is not sent any more, because the rejection was taken back."""

BACKOFF_SECONDS = (5, 15, 60, 300, 900)
"""Waits after the first, second, ... failed try; the last one repeats for as long as it is tried quickly."""

SLOW_SECONDS = 3600
"""Wait after each try from then on: an archive that is down for a night or a month gets what waits, and nobody has to
come for it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """All documents of one revision that wait for one destination: one association.

    attempt: 1 + all tries of all its documents so far, delivered ones too: it grows with every try that came to an end.
    """

    revision_id: int
    destination: str
    attempt: int

    @property
    def workflow_id(self) -> str:
        """The id of the durable workflow of this try."""
        return f"deliver:{self.revision_id}:{self.destination}:{self.attempt}"


@dataclass(frozen=True, slots=True)
class Item:
    """One document in a parcel. `variants` are files, richest SOP class first."""

    delivery_id: int
    kind: str
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """One document that a destination took, under the UID of the variant it took."""

    delivery_id: int
    destination: str
    sop_instance_uid: str
    variants: tuple[str, ...]


def due(session: Session, now: datetime) -> tuple[Parcel, ...]:
    """Return the parcels whose next try is due, oldest first.

    What was never tried is due at once, and what waits for longer than the longest wait is due too: its time was set
    before the clock stepped back.
    """
    latest, latest_quick = (now + timedelta(seconds=wait) for wait in (SLOW_SECONDS, BACKOFF_SECONDS[-1]))
    is_due = and_(
        DeliveryRow.state == "planned",
        or_(
            DeliveryRow.next_attempt_at <= now,
            DeliveryRow.next_attempt_at > latest,
            and_(DeliveryRow.attempts < len(BACKOFF_SECONDS), DeliveryRow.next_attempt_at > latest_quick),
            DeliveryRow.attempts == 0,
        ),
    )
    other, its_document = aliased(DeliveryRow), aliased(DocumentRow)
    tries = (
        select(func.sum(other.attempts))
        .join(its_document, its_document.id == other.document_id)
        .where(its_document.revision_id == DocumentRow.revision_id, other.destination == DeliveryRow.destination)
        .correlate(DocumentRow, DeliveryRow)
        .scalar_subquery()
    )
    rows = session.execute(
        select(DocumentRow.revision_id, DeliveryRow.destination, tries)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .where(is_due)
        .group_by(DocumentRow.revision_id, DeliveryRow.destination)
        .order_by(func.min(DeliveryRow.next_attempt_at))
    )
    return tuple(Parcel(revision, destination, int(attempts) + 1) for revision, destination, attempts in rows)


def contents(session: Session, revision_id: int, destination: str) -> tuple[Item, ...]:
    """Return the documents of a parcel that were not delivered yet."""
    rows = session.execute(
        select(DeliveryRow.id, DocumentRow.kind, DocumentRow.variants)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .where(
            DocumentRow.revision_id == revision_id,
            DeliveryRow.destination == destination,
            DeliveryRow.state == "planned",
        )
        .order_by(DocumentRow.id)
    )
    return tuple(Item(id_, kind, tuple(variants)) for id_, kind, variants in rows)


def delivered(session: Session, delivery_id: int, *, sop_instance_uid: str, warning: str, at: datetime) -> None:
    """Record that a destination took a document; `warning` is its remark, empty when there was none."""
    row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
    if row.state == WITHDRAWN:
        notes.came_late(session, row.document_id)
    row.state, row.obstacle, row.detail = "warning" if warning else "sent", Obstacle.NONE, warning
    row.sop_instance_uid, row.sent_at, row.attempts = sop_instance_uid, at, row.attempts + 1
    session.flush()
    close_if_done(session, session.get_one(DocumentRow, row.document_id).revision_id, at)


def failed(
    session: Session,
    delivery_ids: Sequence[int],
    *,
    obstacle: Obstacle,
    detail: str,
    max_attempts: int,
    at: datetime,
) -> None:
    """Record a try that failed: planned again after a wait, or parked when trying again cannot help.

    max_attempts: so many tries are quick, as many as there are different waits at least; the others are slow.
    """
    for delivery_id in delivery_ids:
        row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
        row.attempts += 1
        if row.state == WITHDRAWN:
            if not obstacle.lasts:  # it may have been taken, and the answer was lost
                notes.came_late(session, row.document_id)
            continue
        row.obstacle, row.detail = obstacle, detail
        if obstacle.lasts:
            row.state = "parked"
            document = session.get_one(DocumentRow, row.document_id)
            event(
                session, at, "parked", _series_of(session, document), f"{document.kind} to {row.destination}: {detail}"
            )
        else:
            slow = row.attempts >= max(max_attempts, len(BACKOFF_SECONDS))
            row.next_attempt_at = at + (timedelta(seconds=SLOW_SECONDS) if slow else _wait_after(row.attempts))


def requeue(session: Session, *, destination: str | None, at: datetime) -> int:
    """Plan parked deliveries again (all, or those for one destination); returns how many."""
    statement = update(DeliveryRow).where(DeliveryRow.state == "parked")
    if destination is not None:
        statement = statement.where(DeliveryRow.destination == destination)
    # attempts goes on counting, so that each try keeps an id of its own
    return len(session.execute(statement.values(state="planned", next_attempt_at=at).returning(DeliveryRow.id)).all())


def any_to_resume(session: Session, destinations: Collection[str]) -> bool:
    """Return whether `resume` would find anything."""
    return session.scalar(select(DeliveryRow.id).where(*_homeless(destinations)).limit(1)) is not None


def resume(session: Session, destinations: Collection[str], *, at: datetime) -> int:
    """Plan again what was parked because its destination was not in the settings, and now is; returns how many."""
    statement = update(DeliveryRow).where(*_homeless(destinations)).values(state="planned", next_attempt_at=at)
    return len(session.execute(statement.returning(DeliveryRow.id)).all())


def _homeless(destinations: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        DeliveryRow.state == "parked",
        DeliveryRow.destination.in_(destinations),
        DeliveryRow.obstacle == Obstacle.NO_DESTINATION,
    )


def is_there(session: Session, destination: str, *, at: datetime) -> None:
    """Let no document wait on that only waits for a destination to be there: it took another one just now."""
    patience.end(session, DeliveryRow, destination, DeliveryRow.obstacle == Obstacle.UNREACHABLE, at=at)


def uncommitted(
    session: Session, destinations: Sequence[str], *, asked_before: datetime, now: datetime
) -> tuple[Sent, ...]:
    """Return what destinations took and do not promise to keep, unless asked since `asked_before`; by destination.

    What was asked later than now was asked before the clock stepped back.
    """
    rows = session.execute(
        select(DeliveryRow.id, DeliveryRow.destination, DeliveryRow.sop_instance_uid, DocumentRow.variants)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .where(
            DeliveryRow.state.in_(("sent", "warning")),
            DeliveryRow.destination.in_(destinations),
            or_(
                DeliveryRow.commitment_asked_at.is_(None),
                DeliveryRow.commitment_asked_at < asked_before,
                DeliveryRow.commitment_asked_at > now,
            ),
        )
        .order_by(DeliveryRow.destination, DeliveryRow.id)
        .limit(500)
    )
    return tuple(Sent(id_, destination, uid, tuple(variants)) for id_, destination, uid, variants in rows)


def await_commitment(session: Session, delivery_ids: Sequence[int], *, transaction_uid: str, at: datetime) -> None:
    """Remember in which storage commitment transaction documents are asked for."""
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id.in_(delivery_ids))
        .values(transaction_uid=transaction_uid, commitment_asked_at=at)
    )


def committed(session: Session, *, transaction_uid: str, sop_instance_uids: Sequence[str], at: datetime) -> int:
    """Record which documents a destination committed to keep; returns how many of ours those were."""
    rows = _in_transaction(session, transaction_uid, sop_instance_uids)
    for row in rows:
        row.state, row.committed_at = "committed", at
    return len(rows)


def not_committed(
    session: Session, *, transaction_uid: str, sop_instance_uids: Sequence[str], detail: str, at: datetime
) -> int:
    """Plan documents again that a destination had taken but does not commit to keep; returns how many."""
    rows = _in_transaction(session, transaction_uid, sop_instance_uids)
    for row in rows:
        row.state, row.detail, row.next_attempt_at = "planned", detail, at + _wait_after(row.attempts)
        row.commitment_asked_at = None
    return len(rows)


def close_if_done(session: Session, revision_id: int, at: datetime) -> None:
    """Call a series delivered when no document of its latest revision waits or is parked any more."""
    revision = session.get_one(RevisionRow, revision_id)
    # one at a time: of two destinations that end together each would still see the other waiting (PostgreSQL)
    series = session.get_one(SeriesRow, revision.series_instance_uid, with_for_update=True)
    waiting = session.scalar(
        select(func.count())
        .select_from(DeliveryRow)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .where(DocumentRow.revision_id == revision.id, DeliveryRow.state.in_(("planned", "parked")))
    )
    if not waiting and series.revision == revision.number and series.state == "scored":
        series.state = "delivered"
        event(session, at, "delivered", series.series_instance_uid, f"revision {revision.number}")


def _in_transaction(session: Session, transaction_uid: str, sop_instance_uids: Sequence[str]) -> Sequence[DeliveryRow]:
    if not transaction_uid:
        return ()  # what was never asked for has none either
    return session.scalars(
        select(DeliveryRow).where(
            DeliveryRow.transaction_uid == transaction_uid,
            DeliveryRow.sop_instance_uid.in_(sop_instance_uids),
            # a result that comes again is not about what was taken back or is sent anew since the first
            DeliveryRow.state.in_(("sent", "warning", "committed")),
        )
    ).all()


def _wait_after(attempts: int) -> timedelta:
    return timedelta(seconds=BACKOFF_SECONDS[min(max(attempts, 1), len(BACKOFF_SECONDS)) - 1])


def _series_of(session: Session, document: DocumentRow) -> str:
    return session.get_one(RevisionRow, document.revision_id).series_instance_uid
