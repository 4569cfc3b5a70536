"""People for the tests of the pages: added with a cheap password hash, logged in as a browser would."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from qagate.domain.person import Permission, Role
from qagate.store import people, tokens
from qagate.store.database import Database

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
T0 = datetime(2026, 11, 22, 9, tzinfo=UTC)


def add(database: Database, name: str, role: Role) -> None:
    """Add a person with PASSWORD."""
    with database.begin() as session:
        people.add(session, name, role, by="console", at=T0, password_hash=CHEAP)


def token_of(database: Database, name: str, *scopes: Permission, lasts: timedelta | None = None) -> str:
    """Return a new token of a person with these scopes, all when none is given."""
    with database.begin() as session:
        row = people.get(session, name)
        return tokens.add(session, row, "test", scopes or tuple(Permission), by="console", at=T0, lasts=lasts)


def form_token(page: str) -> str:
    """Return the token in the first form of a page."""
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    assert found, page[:500]
    return found.group(1)


def log_in(client: TestClient, name: str, password: str = PASSWORD, **more: str):
    """Send the login form as a browser would; returns the answer, not followed."""
    sent = {"form_token": form_token(client.get("/login").text), "name": name, "password": password, **more}
    return client.post("/login", data=sent, follow_redirects=False)
