"""Invitations: one-time tokens with which a person sets their own password, or the first admin comes in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from qagate.domain.audit import Act
from qagate.domain.person import Role
from qagate.errors import PeopleError
from qagate.store import audit, credentials, people
from qagate.store.tables import InvitationRow, PersonRow

LASTS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom an invitation is for; name None: the first admin, who chooses a name."""

    name: str | None


def invite(session: Session, row: PersonRow | None, *, by: str, at: datetime) -> str:
    """Return a new token for a person, or for the first admin; one that was there before no longer works.

    Raises PeopleError for somebody who comes in no more.
    """
    if row is not None and row.disabled_at is not None:
        raise PeopleError(f"{row.name} comes in no more: enable them first, got a disabled person")
    for_whom = InvitationRow.person_id.is_(None) if row is None else InvitationRow.person_id == row.id
    session.execute(delete(InvitationRow).where(for_whom))
    secret = credentials.new_secret()
    session.add(
        InvitationRow(digest=credentials.digest(secret), person_id=row and row.id, created_at=at, expires_at=at + LASTS)
    )
    audit.record(session, by, Act.PERSON_INVITED, "", row.name if row else "the first admin", at)
    return secret


def look(session: Session, secret: str, *, at: datetime) -> Invited | None:
    """Return whom a token is for; None when it is unknown, used or too old."""
    row = _valid(session, secret, at)
    if row is None:
        return None
    person = session.get(PersonRow, row.person_id) if row.person_id is not None else None
    return Invited(person.name if person else None)


def accept(session: Session, secret: str, name: str, password_hash: str, *, at: datetime) -> PersonRow:
    """Use a token up: set the password of whom it is for, or make the first admin of this name.

    Raises PeopleError when the token is unknown, used or too old, or the name cannot be taken.
    """
    row = _valid(session, secret, at)
    if row is None:
        raise PeopleError("this token is not known, was used, or is older than a day; ask for another one")
    if row.person_id is None:
        if people.has_admin(session):
            raise PeopleError("there is an admin already, who can invite you")
        session.delete(row)
        return people.add(session, name, Role.ADMIN, by=people.cleaned(name), at=at, password_hash=password_hash)
    person = session.get_one(PersonRow, row.person_id)
    people.set_password(session, person, password_hash, by=person.name, at=at)
    return person


def _valid(session: Session, secret: str, at: datetime) -> InvitationRow | None:
    return session.scalar(
        select(InvitationRow).where(
            InvitationRow.digest == credentials.digest(secret.strip()), InvitationRow.expires_at > at
        )
    )
