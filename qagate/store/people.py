"""People: who may come in, as what. Every change stands in the audit trail, in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from qagate.domain.audit import Act
from qagate.domain.person import Role
from qagate.errors import PeopleError, PersonMissing
from qagate.store import audit
from qagate.store.tables import InvitationRow, LoginRow, PersonRow

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,41}[a-z0-9])?")
# a person and a token together, as `ada/lab`, are 64 characters at most: so long are names in all tables
RESERVED = frozenset({"anonymous", "local", "qagate", "system", "console", "directory"})
"""Names that the audit trail uses for nobody in particular."""

DIRECTORY = "directory"
"""Who it was when a directory said so."""

LDAP = "ldap:"
"""What subjects of an LDAP directory begin with."""

CONSOLE = "console"
"""Who it was when somebody used the command line of the machine."""


def cleaned(name: str) -> str:
    """Return a name as it is kept: lower case, without blanks around it. Raises PeopleError when it cannot be one."""
    name = name.strip().casefold()
    if not NAME.fullmatch(name) or name in RESERVED:
        raise PeopleError(
            f"a name has 1 to 43 letters, digits and . _ @ + - and is none of {', '.join(sorted(RESERVED))}, "
            f"got {name[:80]!r}"
        )
    return name


def find(session: Session, name: str) -> PersonRow | None:
    """Return a person by name, disabled or not."""
    return session.scalar(select(PersonRow).where(PersonRow.name == name.strip().casefold()))


def get(session: Session, name: str) -> PersonRow:
    """Return a person by name. Raises PersonMissing when there is none."""
    row = find(session, name)
    if row is None:
        raise PersonMissing(f"there is nobody of this name, got {name[:80]!r}")
    return row


def everybody(session: Session) -> Sequence[PersonRow]:
    """Return all people by name, the disabled ones last."""
    return session.scalars(select(PersonRow).order_by(PersonRow.disabled_at.is_not(None), PersonRow.name)).all()


def has_admin(session: Session) -> bool:
    """Say whether somebody can administer."""
    return session.scalar(_admins().limit(1)) is not None


def _admins() -> Select[int]:
    return select(PersonRow.id).where(PersonRow.role == Role.ADMIN, PersonRow.disabled_at.is_(None))


def add(
    session: Session,
    name: str,
    role: Role,
    *,
    by: str,
    at: datetime,
    password_hash: str | None = None,
    source: str = "local",
) -> PersonRow:
    """Add a person. Raises PeopleError when the name is taken or no name."""
    name = cleaned(name)
    if find(session, name) is not None:
        raise PeopleError(f"there is somebody of this name already, got {name!r}")
    row = PersonRow(name=name, role=role.value, source=source, password_hash=password_hash, created_at=at)
    row.password_changed_at = at if password_hash else None
    session.add(row)
    session.flush()
    audit.record(session, by, Act.PERSON_ADDED, "", f"{name} as {role.value} ({source})", at)
    return row


def vouched(session: Session, subject: str, name: str, role: Role, *, at: datetime) -> PersonRow:
    """Return the person whom a directory vouches for, added when new, in the role it gives them now.

    Raises PeopleError for somebody who comes in no more, or when the name belongs to another person here: a directory
    cannot take over who has a password here.
    """
    row = session.scalar(select(PersonRow).where(PersonRow.subject == subject))
    if row is None:
        source = "ldap" if subject.startswith(LDAP) else "oidc"
        row = add(session, name, role, by=DIRECTORY, at=at, source=source)
        row.subject = subject
    elif row.disabled_at is not None:
        raise PeopleError(f"{row.name} comes in no more here; ask an admin")
    set_role(session, row, role, by=DIRECTORY, at=at)
    return row


def set_role(session: Session, row: PersonRow, role: Role, *, by: str, at: datetime) -> None:
    """Give a person another role. Raises PeopleError when nobody could administer any more."""
    if row.role == role:
        return
    if row.role == Role.ADMIN:
        _keep_an_admin(session, row)
    audit.record(session, by, Act.ROLE_CHANGED, "", f"{row.name}: {row.role} → {role.value}", at)
    row.role = role.value


def set_password(session: Session, row: PersonRow, password_hash: str, *, by: str, at: datetime) -> None:
    """Give a person another password; everywhere they are logged in they must log in again, and no invitation holds."""
    row.password_hash, row.password_changed_at = password_hash, at
    session.execute(delete(LoginRow).where(LoginRow.person_id == row.id))
    session.execute(delete(InvitationRow).where(InvitationRow.person_id == row.id))
    audit.record(session, by, Act.PASSWORD_CHANGED, "", row.name, at)


def disable(session: Session, row: PersonRow, *, by: str, at: datetime) -> None:
    """Let somebody in no more: their logins end at once, their tokens stop. Raises PeopleError for the last admin."""
    if row.disabled_at is not None:
        return
    if row.role == Role.ADMIN:
        _keep_an_admin(session, row)
    row.disabled_at = at
    session.execute(delete(LoginRow).where(LoginRow.person_id == row.id))
    session.execute(delete(InvitationRow).where(InvitationRow.person_id == row.id))
    audit.record(session, by, Act.PERSON_DISABLED, "", row.name, at)


def enable(session: Session, row: PersonRow, *, by: str, at: datetime) -> None:
    """Let somebody in again."""
    if row.disabled_at is None:
        return
    row.disabled_at = None
    audit.record(session, by, Act.PERSON_ENABLED, "", row.name, at)


def _keep_an_admin(session: Session, row: PersonRow) -> None:
    # locked, so that of two admins who take the other's role at once one is refused
    admins = session.scalars(_admins().order_by(PersonRow.id).with_for_update()).all()
    if row.disabled_at is None and len(admins) < 2:
        raise PeopleError(f"somebody must be able to administer: make another admin first, got {row.name!r}")
