"""Logins: the browsers in which people are logged in. The cookie holds a random id; the database only its hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from qagate.domain.audit import Act
from qagate.domain.person import Person, Role
from qagate.store import audit, credentials
from qagate.store.tables import LoginRow, PersonRow

TOUCH_SECONDS = 60
"""How exactly "last seen" is kept: not every click is a write."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a login lasts: without a click, and in any case."""

    idle: timedelta
    whole: timedelta


def open_login(
    session: Session, row: PersonRow, *, lasting: Lasting, at: datetime, address: str = "", browser: str = "", how: str
) -> str:
    """Log somebody in and return the secret for the cookie, always a new one. how: words for the audit trail."""
    secret = credentials.new_secret()
    session.execute(delete(LoginRow).where(LoginRow.expires_at < at))
    session.add(
        LoginRow(
            digest=credentials.digest(secret),
            person_id=row.id,
            address=address[:64],
            browser=browser[:200],
            created_at=at,
            last_seen_at=at,
            expires_at=at + lasting.whole,
        )
    )
    row.last_login_at = at
    audit.record(session, row.name, Act.LOGGED_IN, "", how, at, address=address)
    return secret


def person_of(session: Session, secret: str, *, lasting: Lasting, at: datetime) -> tuple[Person, LoginRow] | None:
    """Return who is logged in with this secret; None when nobody is, or no longer."""
    found = session.execute(
        select(PersonRow, LoginRow)
        .join(LoginRow, LoginRow.person_id == PersonRow.id)
        .where(LoginRow.digest == credentials.digest(secret))
    ).one_or_none()
    if found is None:
        return None
    row, login = found
    if row.disabled_at is not None or at >= login.expires_at or at - login.last_seen_at >= lasting.idle:
        return None
    return Person(row.name, Role(row.role)), login


def is_stale(login: LoginRow, at: datetime) -> bool:
    """Say whether "last seen" is worth a write."""
    return (at - login.last_seen_at).total_seconds() >= TOUCH_SECONDS


def touch(session: Session, digest: str, *, at: datetime) -> None:
    """Keep a login alive: somebody clicked."""
    session.execute(update(LoginRow).where(LoginRow.digest == digest).values(last_seen_at=at))


def close(session: Session, digest: str, *, who: str, at: datetime, address: str = "") -> None:
    """Log out of one browser."""
    session.execute(delete(LoginRow).where(LoginRow.digest == digest))
    audit.record(session, who, Act.LOGGED_OUT, "", "", at, address=address)


def close_all(session: Session, row: PersonRow, *, by: str, at: datetime, address: str = "") -> int:
    """Log a person out everywhere; returns of how many browsers."""
    open_now = select(LoginRow.digest).where(LoginRow.person_id == row.id)
    number = len(session.scalars(open_now).all())
    session.execute(delete(LoginRow).where(LoginRow.person_id == row.id))
    audit.record(session, by, Act.LOGGED_OUT_EVERYWHERE, "", f"{row.name}: {number}", at, address=address)
    return number


def of_person(session: Session, row: PersonRow, *, lasting: Lasting, at: datetime) -> Sequence[LoginRow]:
    """Return where a person is logged in, the latest first."""
    return session.scalars(
        select(LoginRow)
        .where(LoginRow.person_id == row.id, LoginRow.expires_at > at, LoginRow.last_seen_at > at - lasting.idle)
        .order_by(LoginRow.last_seen_at.desc())
    ).all()
