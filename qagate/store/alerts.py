"""Incidents: opened, updated, closed, acknowledged once for everybody, and what was told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from qagate.domain.alert import Sign, Step
from qagate.store.tables import AlertRow, PointRow


@dataclass(frozen=True, slots=True)
class Message:
    """What is still to be told about an incident."""

    alert_id: int
    state: str
    words: str


def current(session: Session) -> dict[str, Sign]:
    """Return the incidents that last: key → last sign."""
    rows = session.scalars(select(AlertRow).where(AlertRow.closed_at.is_(None)))
    return {row.key: Sign(row.key, row.scanner, row.words) for row in rows}


def apply(session: Session, steps: Sequence[Step], at: datetime) -> None:
    """Write down what happened to the incidents."""
    for step in steps:
        row = session.scalar(select(AlertRow).where(AlertRow.closed_at.is_(None), AlertRow.key == step.sign.key))
        if step.what == "opened" and row is None:
            session.add(
                AlertRow(
                    key=step.sign.key, kind=step.sign.key.partition(":")[0], scanner=step.sign.scanner,
                    severity="warning", words=step.sign.words, opened_at=at, updated_at=at,
                )
            )  # fmt: skip
        elif row is not None and step.what == "updated":
            row.words, row.updated_at = step.sign.words, at
        elif row is not None and step.what == "closed":
            row.closed_at = row.updated_at = at


def untold(session: Session) -> list[Message]:
    """Return what was not told yet: openings, new words unless acknowledged, and ends of what was told."""
    changed = or_(AlertRow.told_words != AlertRow.words, AlertRow.closed_at.is_not(None))
    rows = session.scalars(select(AlertRow).where(AlertRow.told_state != "closed", changed).order_by(AlertRow.id))
    found = []
    for row in rows:
        if row.closed_at is not None:
            state = "closed"
        elif not row.told_state:
            state = "opened"
        else:
            state = "updated"
        if (state == "updated" and row.acknowledged_at) or (state == "closed" and not row.told_state):
            continue
        found.append(Message(row.id, state, row.words))
    return found


def told(session: Session, message: Message, at: datetime) -> None:
    """Remember that a message was taken."""
    row = session.get_one(AlertRow, message.alert_id)
    row.told_state, row.told_words, row.told_at = message.state, message.words, at


def acknowledge(session: Session, alert_id: int, *, by: str, at: datetime) -> AlertRow | None:
    """Keep who has seen it first; returns the incident, None when there is none of this id."""
    row = session.get(AlertRow, alert_id)
    if row is not None and row.acknowledged_at is None:
        row.acknowledged_at, row.acknowledged_by = at, by
    return row


def unanswered(session: Session, limit: int = 3) -> Sequence[AlertRow]:
    """Return incidents that last and that nobody looks after, the latest first."""
    return session.scalars(
        select(AlertRow)
        .where(AlertRow.closed_at.is_(None), AlertRow.acknowledged_at.is_(None))
        .order_by(AlertRow.opened_at.desc(), AlertRow.id.desc())
        .limit(limit)
    ).all()


def listed(session: Session, limit: int = 200) -> Sequence[AlertRow]:
    """Return incidents: those that last first, then the latest."""
    return session.scalars(
        select(AlertRow).order_by(AlertRow.closed_at.is_not(None), AlertRow.opened_at.desc()).limit(limit)
    ).all()


def recent_outcomes(session: Session, *, since: datetime, last: int) -> Mapping[str, list[str]]:
    """Return the outcomes of the latest series of each scanner since a time, newest first."""
    query = select(PointRow.scanner, PointRow.outcome).where(PointRow.at >= since).order_by(PointRow.at.desc())
    found: dict[str, list[str]] = {}
    for scanner, outcome in session.execute(query):
        outcomes = found.setdefault(scanner, [])
        if len(outcomes) < last:
            outcomes.append(outcome)
    return found
