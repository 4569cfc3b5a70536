"""What scanners asked us to promise, and what we can say to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, union_all
from sqlalchemy.orm import Session

from qagate.domain.commitment import Copy
from qagate.store.events import event
from qagate.store.tables import AnnouncedRow, CommitmentRow, ForwardRow, InstanceRow

WAITING, ANSWERED, GIVEN_UP = "waiting", "answered", "given_up"

CLAIM_SECONDS = 120
"""How long the process that took a request is believed to be at work on it."""


LONGEST_WAIT = timedelta(minutes=20)
"""No request is put off for longer at a time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a scanner. instances: (SOP Class UID, SOP Instance UID)."""

    id: int
    transaction_uid: str
    calling_ae_title: str
    host: str
    instances: tuple[tuple[str, str], ...]
    asked_at: datetime
    attempts: int


def ask(
    session: Session,
    *,
    transaction_uid: str,
    calling_ae_title: str,
    host: str,
    instances: Sequence[tuple[str, str]],
    at: datetime,
) -> None:
    """Record a request. The same one again (same scanner, same transaction) is answered again."""
    row = session.scalar(
        select(CommitmentRow).where(
            CommitmentRow.calling_ae_title == calling_ae_title, CommitmentRow.transaction_uid == transaction_uid
        )
    )
    if row is None:
        row = CommitmentRow(transaction_uid=transaction_uid, calling_ae_title=calling_ae_title, attempts=0)
        session.add(row)
    row.host, row.instances = host, [" ".join(pair) for pair in instances]
    row.state, row.asked_at, row.next_attempt_at, row.answered_at = WAITING, at, at, None


def any_due(session: Session, *, at: datetime) -> bool:
    """Return whether there is a request whose turn it is."""
    return session.scalar(select(CommitmentRow.id).where(*_due(at)).limit(1)) is not None


def _due(at: datetime) -> tuple[ColumnElement[bool], ...]:
    latest = at + LONGEST_WAIT  # what is later was before a clock's step
    return (
        CommitmentRow.state == WAITING,
        (CommitmentRow.next_attempt_at <= at) | (CommitmentRow.next_attempt_at > latest),
    )


def due(session: Session, *, at: datetime, limit: int = 20) -> tuple[Asked, ...]:
    """Claim requests whose turn it is; others leave them alone for a while."""
    rows = session.scalars(
        select(CommitmentRow)
        .where(*_due(at))
        .order_by(CommitmentRow.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.next_attempt_at = at + timedelta(seconds=CLAIM_SECONDS)
    return tuple(
        Asked(
            row.id,
            row.transaction_uid,
            row.calling_ae_title,
            row.host,
            tuple((a, b) for a, _, b in (pair.partition(" ") for pair in row.instances)),
            row.asked_at,
            row.attempts,
        )
        for row in rows
    )


def copies(session: Session, sop_instance_uids: Sequence[str]) -> dict[str, tuple[Copy, ...]]:
    """Return SOP Instance UID → every object that we have received under it: by its own, or announced under it."""
    found: dict[str, dict[tuple[int, str], list[tuple[str, str]]]] = {}
    own = select(InstanceRow.id, InstanceRow.sop_instance_uid.label("uid"), InstanceRow.sop_class_uid)
    # by its announced UID it may be asked for as either class
    announced = select(AnnouncedRow.instance_id, AnnouncedRow.sop_instance_uid, AnnouncedRow.sop_class_uid)
    renamed = select(InstanceRow.id, AnnouncedRow.sop_instance_uid, InstanceRow.sop_class_uid).join(
        InstanceRow, InstanceRow.id == AnnouncedRow.instance_id
    )
    for start in range(0, len(sop_instance_uids), 500):
        some = sop_instance_uids[start : start + 500]
        named = union_all(
            own.where(InstanceRow.sop_instance_uid.in_(some)),
            announced.where(AnnouncedRow.sop_instance_uid.in_(some)),
            renamed.where(AnnouncedRow.sop_instance_uid.in_(some)),
        ).subquery()
        rows = session.execute(
            select(named, ForwardRow.destination, ForwardRow.state)
            .outerjoin(ForwardRow, ForwardRow.instance_id == named.c.id)
            .distinct()
        )
        for id_, uid, sop_class, destination, state in rows:
            forwards = found.setdefault(uid, {}).setdefault((id_, sop_class), [])
            if destination is not None:
                forwards.append((destination, state))
    return {uid: tuple(Copy(c, tuple(f)) for (_, c), f in by_id.items()) for uid, by_id in found.items()}


def look_again(session: Session, id_: int, *, at: datetime) -> None:
    """Let a request wait until a time: the destinations have not said everything yet."""
    session.get_one(CommitmentRow, id_).next_attempt_at = at


def answered(session: Session, asked: Asked, *, detail: str, at: datetime) -> None:
    """Record that the scanner was told."""
    row = session.get_one(CommitmentRow, asked.id)
    row.state, row.answered_at, row.detail, row.attempts = ANSWERED, at, detail, asked.attempts + 1
    event(session, at, "commitment", "", f"{asked.calling_ae_title} was told: {detail}")


def not_answered(session: Session, asked: Asked, *, detail: str, next_at: datetime | None, at: datetime) -> None:
    """Record that the scanner could not be told; next_at None: it is not tried again."""
    row = session.get_one(CommitmentRow, asked.id)
    row.detail, row.attempts = detail, asked.attempts + 1
    if next_at is None:
        row.state = GIVEN_UP
        event(session, at, "commitment", "", f"{asked.calling_ae_title} could not be told: {detail}")
    else:
        row.next_attempt_at = next_at
