"""Tokens: keys that programs use in the name of a person. Shown once, kept as hashes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qagate.domain.audit import Act
from qagate.domain.person import Permission, Person, Role
from qagate.errors import PeopleError, PersonMissing
from qagate.store import audit, credentials
from qagate.store.tables import PersonRow, TokenRow

PREFIX = "qg_"
"""Tokens begin so, that a scanner for leaked secrets can know one."""

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,18}[a-z0-9])?")
TOUCH_SECONDS = 300


def add(
    session: Session,
    row: PersonRow,
    name: str,
    scopes: Collection[Permission],
    *,
    by: str,
    at: datetime,
    lasts: timedelta | None,
) -> str:
    """Return a new token of a person, to be shown once. lasts None: until it is revoked.

    Raises PeopleError when there is one of this name, or nothing is granted.
    """
    name = name.strip().casefold()
    if not NAME.fullmatch(name):
        raise PeopleError(f"a token's name has 1 to 20 letters, digits and . _ -, got {name[:80]!r}")
    if not scopes:
        raise PeopleError("a token grants something: give it at least one scope, got none")
    if session.scalar(select(TokenRow.id).where(TokenRow.person_id == row.id, TokenRow.name == name)):
        raise PeopleError(f"{row.name} has or had a token of this name; take another name, got {name!r}")
    secret = PREFIX + credentials.new_secret()
    session.add(
        TokenRow(
            person_id=row.id,
            name=name,
            digest=credentials.digest(secret),
            scopes=sorted(scope.value for scope in scopes),
            created_at=at,
            expires_at=at + lasts if lasts is not None else None,
        )
    )
    until = f"until {at + lasts:%Y-%m-%d}" if lasts is not None else "until revoked"
    audit.record(session, by, Act.TOKEN_ADDED, "", f"{row.name}/{name}: {' '.join(sorted(scopes))}, {until}", at)
    return secret


def person_of(session: Session, secret: str, *, at: datetime) -> tuple[Person, TokenRow] | None:
    """Return in whose name a token speaks, as `person/token`; None when it is unknown, expired or revoked."""
    found = session.execute(
        select(PersonRow, TokenRow)
        .join(TokenRow, TokenRow.person_id == PersonRow.id)
        .where(TokenRow.digest == credentials.digest(secret), TokenRow.revoked_at.is_(None))
    ).one_or_none()
    if found is None:
        return None
    row, token = found
    if row.disabled_at is not None or (token.expires_at is not None and at >= token.expires_at):
        return None
    scopes = frozenset(Permission(scope) for scope in token.scopes)
    return Person(f"{row.name}/{token.name}", Role(row.role), scopes), token


def is_stale(token: TokenRow, at: datetime) -> bool:
    """Say whether "last used" is worth a write."""
    return token.last_used_at is None or (at - token.last_used_at).total_seconds() >= TOUCH_SECONDS


def touch(session: Session, token_id: int, *, at: datetime) -> None:
    """Note that a token was used."""
    session.execute(update(TokenRow).where(TokenRow.id == token_id).values(last_used_at=at))


def listing(session: Session) -> Sequence[tuple[TokenRow, str]]:
    """Return all tokens with the names of their people, those in use first."""
    rows = session.execute(
        select(TokenRow, PersonRow.name)
        .join(PersonRow, PersonRow.id == TokenRow.person_id)
        .order_by(TokenRow.revoked_at.is_not(None), PersonRow.name, TokenRow.name)
    )
    return [(token, name) for token, name in rows]


def get(session: Session, token_id: int) -> TokenRow:
    """Return a token by its number. Raises PersonMissing when there is none."""
    row = session.get(TokenRow, token_id)
    if row is None:
        raise PersonMissing(f"there is no token of this number, got {token_id}")
    return row


def revoke(session: Session, row: TokenRow, *, by: str, at: datetime) -> None:
    """Let a token work no more."""
    if row.revoked_at is not None:
        return
    row.revoked_at = at
    owner = session.get_one(PersonRow, row.person_id)
    audit.record(session, by, Act.TOKEN_REVOKED, "", f"{owner.name}/{row.name}", at)
