"""The first run: while nobody can administer, a one-time token is printed with which the first admin comes in."""

from __future__ import annotations

from typing import TextIO

from qagate.clock import Clock
from qagate.domain.person import Role
from qagate.errors import StoreError
from qagate.settings import Settings
from qagate.store import invitations, people
from qagate.store.database import Database


def address(settings: Settings) -> str:
    """Return the address that people use, without a slash at its end."""
    return (settings.web.public_url or f"http://{settings.web.host}:{settings.web.port}").rstrip("/")


def announce(settings: Settings, database: Database, clock: Clock, out: TextIO) -> None:
    """Print the token when it is needed: nobody can administer, and not everybody may.

    Only here is it ever to be read, so `out` is not the log.
    """
    if settings.people.anonymous_role == Role.ADMIN.value:
        return
    try:
        with database.begin() as session:
            if people.has_admin(session):
                return
            token = invitations.invite(session, None, by=people.CONSOLE, at=clock.now())
    except StoreError as error:
        print(f"Nobody may be set up yet ({error}). Later: qagate user add NAME --role admin", file=out, flush=True)
        return
    print(
        f"Nobody is set up yet. Open {address(settings)}/setup within a day and give this token: {token}",
        file=out,
        flush=True,
    )
