"""Which original still has to reach which destination. The row is written by qagate.store.routing.

Several forwarders may work at once: each claims what it sends, and a claim that was not ended runs out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from qagate.domain.obstacle import Obstacle
from qagate.store import patience
from qagate.store.events import event
from qagate.store.tables import ForwardRow, InstanceRow

HELD, PLANNED, SENT, WARNING, COMMITTED = "held", "planned", "sent", "warning", "committed"
PARKED, REJECTED, GIVEN_UP = "parked", "rejected", "given_up"

BACKOFF_SECONDS = (5, 15, 60, 300)
"""Waits after the first, second, ... failed try; the last one repeats: images do not wait longer than that."""

CLAIM_SECONDS = 90
"""How long a forwarder that does not renew its claim is believed to be sending what it claimed."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One original that this forwarder is to send. attempts: tries before this one.

    rivalled: other bytes have come under its UID, and the destination has never taken these.
    """

    forward_id: int
    series_instance_uid: str
    path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    sha256: str
    attempts: int
    rivalled: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """One original that a destination took."""

    forward_id: int
    sop_class_uid: str
    sop_instance_uid: str


def _due(destination: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    latest = at + timedelta(seconds=max(BACKOFF_SECONDS[-1], CLAIM_SECONDS))  # what is later was before a clock's step
    free = or_(ForwardRow.claimed_until.is_(None), ForwardRow.claimed_until <= at, ForwardRow.claimed_until > latest)
    due = or_(ForwardRow.next_attempt_at <= at, ForwardRow.next_attempt_at > latest, ForwardRow.attempts == 0)
    return ForwardRow.destination == destination, ForwardRow.state == PLANNED, free, due


def waits(session: Session, destination: str, *, at: datetime) -> bool:
    """Return whether anything is due for a destination; asked first, because a claim locks SQLite for others."""
    return session.scalar(select(ForwardRow.id).where(*_due(destination, at)).limit(1)) is not None


def claim(session: Session, destination: str, *, by: str, at: datetime, limit: int) -> tuple[Claimed, ...]:
    """Claim what is due for a destination: the urgent first, then in order of arrival."""
    ids = session.scalars(
        select(ForwardRow.id)
        .where(*_due(destination, at))
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
    rival = aliased(InstanceRow)
    rivals = select(rival.id).where(
        rival.sop_instance_uid == InstanceRow.sop_instance_uid, rival.sha256 != InstanceRow.sha256
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
            and_(ForwardRow.sent_at.is_(None), rivals.exists()),
        )
        .join(InstanceRow, InstanceRow.id == ForwardRow.instance_id)
        .where(ForwardRow.id.in_(ids))
        .order_by(ForwardRow.urgent.desc(), ForwardRow.id)
    )
    return tuple(Claimed(*row) for row in rows)


def renew(session: Session, forward_ids: Sequence[int], *, by: str, at: datetime) -> None:
    """Say that what was claimed is still being sent. What another one has claimed meanwhile stays with it."""
    # what is being recorded at this moment is left alone: waiting for it, in another order, could be a deadlock
    still = select(ForwardRow.id).where(ForwardRow.id.in_(forward_ids), ForwardRow.claimed_by == by)
    session.execute(
        update(ForwardRow)
        .where(ForwardRow.id.in_(session.scalars(still.with_for_update(skip_locked=True)).all()))
        .values(claimed_until=at + timedelta(seconds=CLAIM_SECONDS))
    )


def unclaim(session: Session, forward_ids: Sequence[int]) -> None:
    """Free what was claimed and not tried."""
    session.execute(update(ForwardRow).where(ForwardRow.id.in_(forward_ids)).values(claimed_by="", claimed_until=None))


def unclaim_all(session: Session, by: str) -> None:
    """Free what an earlier process of this name had claimed."""
    session.execute(update(ForwardRow).where(ForwardRow.claimed_by == by).values(claimed_by="", claimed_until=None))


def sent(session: Session, results: Sequence[tuple[Claimed, str]], *, at: datetime) -> None:
    """Record what a destination took, each with its remark, empty when there was none."""
    for claimed, remark in results:
        session.execute(
            update(ForwardRow)
            .where(ForwardRow.id == claimed.forward_id)
            .values(
                state=WARNING if remark else SENT,
                # until it is promised: an archive that takes it again and again does not keep it for that
                obstacle=case((ForwardRow.obstacle == Obstacle.NOT_KEPT, Obstacle.NOT_KEPT), else_=Obstacle.NONE),
                detail=remark,
                sent_at=at,
                attempts=claimed.attempts + 1,
                claimed_by="",
                claimed_until=None,
            )
        )


def failed(session: Session, claimed: Sequence[Claimed], *, obstacle: Obstacle, detail: str, at: datetime) -> None:
    """Record a try that failed: planned again after a wait for ever, or parked where the refusal is for good."""
    for one in claimed:
        wait = BACKOFF_SECONDS[min(one.attempts, len(BACKOFF_SECONDS) - 1)]
        session.execute(
            update(ForwardRow)
            .where(ForwardRow.id == one.forward_id)
            .values(
                state=PARKED if obstacle.lasts else PLANNED,
                obstacle=obstacle,
                detail=detail,
                attempts=one.attempts + 1,
                next_attempt_at=at + timedelta(seconds=wait),
                claimed_by="",
                claimed_until=None,
            )
        )
        if obstacle.lasts:
            event(session, at, "parked", one.series_instance_uid, f"image {one.sop_instance_uid}: {detail}")


def requeue(session: Session, *, destination: str | None, at: datetime) -> int:
    """Plan parked originals again (all, or those for one destination); returns how many."""
    statement = update(ForwardRow).where(ForwardRow.state == PARKED)
    if destination is not None:
        statement = statement.where(ForwardRow.destination == destination)
    return len(session.execute(statement.values(state=PLANNED, next_attempt_at=at).returning(ForwardRow.id)).all())


def is_there(session: Session, destination: str, *, at: datetime) -> None:
    """Let nothing wait on that only waits for a destination to be there: it took something just now.

    An image at which it broke off again and again waits its time: going first it would keep the others back.
    """
    only_away = or_(ForwardRow.obstacle == Obstacle.UNREACHABLE, ForwardRow.attempts <= 1)
    patience.end(session, ForwardRow, destination, only_away, at=at)


def uncommitted(session: Session, destination: str, *, asked_before: datetime, now: datetime) -> tuple[Taken, ...]:
    """Return what a destination took and does not promise to keep, unless asked since then; 500 at most.

    What was asked later than now was asked before the clock stepped back.
    """
    rows = session.execute(
        select(ForwardRow.id, InstanceRow.sop_class_uid, InstanceRow.sop_instance_uid)
        .join(InstanceRow, InstanceRow.id == ForwardRow.instance_id)
        .where(
            ForwardRow.destination == destination,
            ForwardRow.state.in_((SENT, WARNING)),
            or_(
                ForwardRow.commitment_asked_at.is_(None),
                ForwardRow.commitment_asked_at < asked_before,
                ForwardRow.commitment_asked_at > now,
            ),
        )
        .order_by(ForwardRow.id)
        .limit(500)
    )
    return tuple(Taken(*row) for row in rows)


def await_commitment(session: Session, forward_ids: Sequence[int], *, transaction_uid: str, at: datetime) -> None:
    """Remember in which storage commitment transaction originals are asked for."""
    session.execute(
        update(ForwardRow)
        .where(ForwardRow.id.in_(forward_ids))
        .values(transaction_uid=transaction_uid, commitment_asked_at=at)
    )


def committed(session: Session, *, transaction_uid: str, sop_instance_uids: Sequence[str], at: datetime) -> int:
    """Record which originals a destination committed to keep; returns how many of ours those were."""
    return _in_transaction(
        session, transaction_uid, sop_instance_uids, {"state": COMMITTED, "obstacle": Obstacle.NONE, "committed_at": at}
    )


def not_committed(
    session: Session, *, transaction_uid: str, sop_instance_uids: Sequence[str], detail: str, at: datetime
) -> int:
    """Plan originals again that a destination had taken and does not commit to keep; returns how many."""
    waits = [(ForwardRow.attempts <= n, at + timedelta(seconds=s)) for n, s in enumerate(BACKOFF_SECONDS, start=1)]
    values: dict[str, object] = {
        "state": PLANNED,
        "obstacle": Obstacle.NOT_KEPT,
        "detail": detail,
        "next_attempt_at": case(*waits, else_=waits[-1][1]),
        "commitment_asked_at": None,
    }
    return _in_transaction(session, transaction_uid, sop_instance_uids, values)


def _in_transaction(
    session: Session, transaction_uid: str, sop_instance_uids: Sequence[str], values: dict[str, object]
) -> int:
    if not transaction_uid:
        return 0
    number = 0
    for start in range(0, len(sop_instance_uids), 500):
        instances = select(InstanceRow.id).where(
            InstanceRow.sop_instance_uid.in_(sop_instance_uids[start : start + 500])
        )
        rows = session.execute(
            update(ForwardRow)
            .where(
                ForwardRow.transaction_uid == transaction_uid,
                ForwardRow.state.in_((SENT, WARNING, COMMITTED)),
                ForwardRow.instance_id.in_(instances),
            )
            .values(**values)
            .returning(ForwardRow.id)
        )
        number += len(rows.all())
    return number


def counts(session: Session, series_instance_uid: str | None = None) -> dict[tuple[str, str], int]:
    """Return how many originals (all, or of one series) are in each state: (destination, state) → number."""
    statement = select(ForwardRow.destination, ForwardRow.state, func.count())
    if series_instance_uid is not None:
        statement = statement.where(ForwardRow.series_instance_uid == series_instance_uid)
    rows = session.execute(statement.group_by(ForwardRow.destination, ForwardRow.state))
    return {(destination, state): int(number) for destination, state, number in rows}


def overdue(session: Session, *, before: datetime) -> int:
    """Return how many originals are planned since before a time and were never tried: nobody forwards them.

    Those for a destination at which others were tried since then wait for it, and not for a forwarder.
    """
    lately = select(ForwardRow.destination).where(
        ForwardRow.state == PLANNED,
        or_(
            ForwardRow.claimed_until >= before,
            and_(ForwardRow.attempts > 0, ForwardRow.next_attempt_at >= before),
        ),
    )
    never = and_(ForwardRow.state == PLANNED, ForwardRow.attempts == 0, ForwardRow.next_attempt_at < before)
    query = select(func.count()).select_from(ForwardRow).where(never, ForwardRow.destination.not_in(lately))
    return session.scalar(query) or 0
