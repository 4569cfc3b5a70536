"""Which original still has to reach which destination. The row is written with the image's own, before anything else.

Several forwarders may work at once: each claims what it sends, and a claim that was not ended runs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from qagate.domain.series import StoredInstance
from qagate.store.revisions import event
from qagate.store.tables import ForwardRow, InstanceRow

HELD, PLANNED, SENT, WARNING, COMMITTED = "held", "planned", "sent", "warning", "committed"
PARKED, REJECTED = "parked", "rejected"

BACKOFF_SECONDS = (5, 15, 60, 300)
"""Waits after the first, second, ... failed try; the last one repeats: images do not wait longer than that."""

CLAIM_SECONDS = 600
"""How long a forwarder is believed to be sending what it claimed."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One original that this forwarder is to send. attempts: tries before this one."""

    forward_id: int
    series_instance_uid: str
    path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    sha256: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Route:
    """A destination of originals; what comes from its own AE title is not sent back to it."""

    name: str
    ae_title: str


def intend(
    session: Session, instance: StoredInstance, instance_id: int, routes: Iterable[Route], *, wait: bool, again: bool
) -> None:
    """Write down that an object is to be forwarded, in the transaction that writes down the object itself.

    wait: it is held until something is decided about its series. again: the sender has sent it once more; what had
    reached its destination goes there once more too, because that may be why.
    """
    for route in routes:
        if route.ae_title.strip() == instance.calling_ae_title.strip():
            continue
        row = session.scalar(
            select(ForwardRow).where(ForwardRow.instance_id == instance_id, ForwardRow.destination == route.name)
        )
        if row is None:
            session.add(
                ForwardRow(
                    instance_id=instance_id,
                    series_instance_uid=instance.series_instance_uid,
                    destination=route.name,
                    state=HELD if wait else PLANNED,
                    next_attempt_at=instance.received_at,
                )
            )
        elif again and row.state in (SENT, WARNING, COMMITTED):
            row.state, row.next_attempt_at, row.attempts = PLANNED, instance.received_at, 0
            row.transaction_uid, row.commitment_asked_at = "", None


def claim(session: Session, destination: str, *, by: str, at: datetime, limit: int) -> tuple[Claimed, ...]:
    """Claim what is due for a destination: the urgent first, then in order of arrival."""
    latest = at + timedelta(seconds=max(BACKOFF_SECONDS[-1], CLAIM_SECONDS))
    free = or_(
        ForwardRow.claimed_until.is_(None),
        ForwardRow.claimed_until <= at,
        ForwardRow.claimed_until > latest,  # claimed before the clock stepped back
    )
    due = or_(ForwardRow.next_attempt_at <= at, ForwardRow.next_attempt_at > latest, ForwardRow.attempts == 0)
    ids = session.scalars(
        select(ForwardRow.id)
        .where(ForwardRow.destination == destination, ForwardRow.state == PLANNED, free, due)
        .order_by(ForwardRow.urgent.desc(), ForwardRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not ids:
        return ()
    session.execute(
        update(ForwardRow)
        .where(ForwardRow.id.in_(ids))
        .values(claimed_by=by, claimed_until=at + timedelta(seconds=CLAIM_SECONDS))
    )
    rows = session.execute(
        select(
            ForwardRow.id,
            ForwardRow.series_instance_uid,
            InstanceRow.path,
            InstanceRow.sop_class_uid,
            InstanceRow.sop_instance_uid,
            InstanceRow.transfer_syntax_uid,
            InstanceRow.sha256,
            ForwardRow.attempts,
        )
        .join(InstanceRow, InstanceRow.id == ForwardRow.instance_id)
        .where(ForwardRow.id.in_(ids))
        .order_by(ForwardRow.urgent.desc(), ForwardRow.id)
    )
    return tuple(Claimed(*row) for row in rows)


def unclaim(session: Session, by: str) -> int:
    """Free what an earlier process of this name had claimed; returns how many."""
    return len(
        session.execute(
            update(ForwardRow)
            .where(ForwardRow.claimed_by == by, ForwardRow.state == PLANNED)
            .values(claimed_by="", claimed_until=None)
            .returning(ForwardRow.id)
        ).all()
    )


def sent(session: Session, results: Sequence[tuple[Claimed, str]], *, at: datetime) -> None:
    """Record what a destination took, each with its remark, empty when there was none."""
    for claimed, remark in results:
        session.execute(
            update(ForwardRow)
            .where(ForwardRow.id == claimed.forward_id)
            .values(
                state=WARNING if remark else SENT,
                detail=remark,
                sent_at=at,
                attempts=claimed.attempts + 1,
                claimed_by="",
                claimed_until=None,
            )
        )


def failed(session: Session, claimed: Sequence[Claimed], *, detail: str, final: bool, at: datetime) -> None:
    """Record a try that failed: planned again after a wait for ever, or parked where the refusal is for good."""
    for one in claimed:
        wait = BACKOFF_SECONDS[min(one.attempts, len(BACKOFF_SECONDS) - 1)]
        session.execute(
            update(ForwardRow)
            .where(ForwardRow.id == one.forward_id)
            .values(
                state=PARKED if final else PLANNED,
                detail=detail,
                attempts=one.attempts + 1,
                next_attempt_at=at + timedelta(seconds=wait),
                claimed_by="",
                claimed_until=None,
            )
        )
        if final:
            event(session, at, "parked", one.series_instance_uid, f"image {one.sop_instance_uid}: {detail}")


def requeue(session: Session, *, destination: str | None, at: datetime) -> int:
    """Plan parked originals again (all, or those for one destination); returns how many."""
    statement = update(ForwardRow).where(ForwardRow.state == PARKED)
    if destination is not None:
        statement = statement.where(ForwardRow.destination == destination)
    return len(session.execute(statement.values(state=PLANNED, next_attempt_at=at).returning(ForwardRow.id)).all())


def counts(session: Session, series_instance_uid: str | None = None) -> dict[tuple[str, str], int]:
    """Return how many originals (all, or of one series) are in each state: (destination, state) → number."""
    statement = select(ForwardRow.destination, ForwardRow.state, func.count())
    if series_instance_uid is not None:
        statement = statement.where(ForwardRow.series_instance_uid == series_instance_uid)
    rows = session.execute(statement.group_by(ForwardRow.destination, ForwardRow.state))
    return {(destination, state): int(number) for destination, state, number in rows}


def overdue(session: Session, *, before: datetime) -> int:
    """Return how many originals are planned since before a time and were never tried: nobody forwards them."""
    return (
        session.scalar(
            select(func.count())
            .select_from(ForwardRow)
            .where(and_(ForwardRow.state == PLANNED, ForwardRow.attempts == 0, ForwardRow.next_attempt_at < before))
        )
        or 0
    )
