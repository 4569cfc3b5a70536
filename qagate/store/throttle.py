"""Throttle: after some failed logins of one name or from one address, each further try must wait longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from qagate.store import credentials
from qagate.store.tables import TryRow

FORGOTTEN = timedelta(hours=1)
"""Failures older than this no longer count."""


@dataclass(frozen=True, slots=True)
class Limit:
    """free: failures without any wait; then 1, 2, 4, ... seconds, most_seconds at the longest.

    The longest wait is short enough that nobody can lock another person out for good by failing in their name.
    """

    free: int
    most_seconds: float


NAME = Limit(free=5, most_seconds=60)
ADDRESS = Limit(free=50, most_seconds=60)
"""A whole hospital may come from one address."""


def wait_seconds(failures: int, limit: Limit) -> float:
    """Return how long to wait after the last of so many failures."""
    beyond = failures - limit.free
    return 0.0 if beyond < 0 else float(min(2**beyond, limit.most_seconds))


def attempt(session: Session, name: str, address: str, *, at: datetime) -> float:
    """Count a try before it is looked at, so that many at once gain nothing; return the seconds it must still wait.

    0.0: go on. Else the try does not count.
    """
    session.execute(delete(TryRow).where(TryRow.last_at < at - FORGOTTEN))
    wanted = _keys(name, address)
    rows = [_locked(session, key, at) for key, _ in wanted]
    wait = max(_left(row, limit, at) for row, (_, limit) in zip(rows, wanted, strict=True))
    if wait > 0:
        return wait
    for row in rows:
        row.failures, row.last_at = row.failures + 1, at
    return 0.0


def succeeded(session: Session, name: str, address: str) -> None:
    """Take back what `attempt` counted, and the failures of this name before it."""
    (by_name, _), (by_address, _) = _keys(name, address)
    session.execute(delete(TryRow).where(TryRow.key == by_name))
    row = session.get(TryRow, by_address, with_for_update=True)
    if row is not None:
        row.failures = max(0, row.failures - 1)


def _keys(name: str, address: str) -> Sequence[tuple[str, Limit]]:
    # hashed: a name that nobody has may be a password in the wrong field
    return ((f"name:{credentials.digest(name)}", NAME), (f"address:{address}"[:128], ADDRESS))


def _locked(session: Session, key: str, at: datetime) -> TryRow:
    """Return the row of a key, made when it is the first try: two first ones at once wait for one another."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(TryRow).values(key=key, failures=0, last_at=at).on_conflict_do_nothing())
    return session.get_one(TryRow, key, with_for_update=True)


def _left(row: TryRow, limit: Limit, at: datetime) -> float:
    return max(0.0, wait_seconds(row.failures, limit) - (at - row.last_at).total_seconds())
