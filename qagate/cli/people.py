"""Commands for people and tokens: `qagate user ...`, `qagate token ...`. Whoever may run them owns the machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from qagate.cli import plain_errors
from qagate.cli.options import Config, database_of_the_node, settings_from
from qagate.domain.person import Permission, Role

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from qagate.settings import Settings

user = typer.Typer(help="Who may come in, and as what.", no_args_is_help=True)
token = typer.Typer(help="Keys with which programs come in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the person.")]
TypedPassword = Annotated[
    bool, typer.Option("--password", help="Ask for the password here instead of printing a one-time token.")
]


@contextmanager
def _writing(config: Path | None, *, first: bool = False) -> Iterator[tuple[Settings, Session, datetime]]:
    """Give a transaction of the node's database. first: it may be made here, when no node has run yet."""
    from qagate.store.database import Database

    settings = settings_from(config)
    database = Database.open(settings.database_url) if first else database_of_the_node(settings)
    try:
        with database.begin() as session:
            yield settings, session, datetime.now(UTC)
    finally:
        database.close()


def _asked_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _print_invitation(settings: Settings, name: str, secret: str) -> None:
    from qagate.web.first import address

    typer.echo(f"{name} sets a password at {address(settings)}/setup within a day, with this token:\n{secret}")


@user.command("add")
@plain_errors
def add_user(
    name: Name,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.VIEWER,
    password: TypedPassword = False,
    program: Annotated[
        bool, typer.Option("--program", help="Nobody logs in by this name; it only holds tokens.")
    ] = False,
    config: Config = None,
) -> None:
    """Add a person, and print the one-time token with which they set their password."""
    from qagate.store import credentials, invitations, people

    typed = _asked_password() if password else None
    with _writing(config, first=True) as (settings, session, at):
        least = settings.people.password_min_length
        kept = credentials.hash_password(typed, name=people.cleaned(name), least=least) if typed is not None else None
        row = people.add(session, name, role, by=people.CONSOLE, at=at, password_hash=kept)
        secret = None if program or kept else invitations.invite(session, row, by=people.CONSOLE, at=at)
    typer.echo(f"{row.name} is {row.role}")
    if secret:
        _print_invitation(settings, row.name, secret)


@user.command("list")
@plain_errors
def list_users(config: Config = None) -> None:
    """List all people."""
    from qagate.store import people

    with _writing(config) as (_, session, _at):
        for row in people.everybody(session):
            seen = f"last here {row.last_login_at:%Y-%m-%d %H:%M} UTC" if row.last_login_at else "never here"
            state = "disabled" if row.disabled_at else "no password" if row.password_hash is None else ""
            typer.echo(f"{row.name:24} {row.role:10} {seen:28} {row.source:8} {state}".rstrip())


@user.command("role")
@plain_errors
def change_role(
    name: Name, role: Annotated[Role, typer.Argument(help="What they may do from now on.")], config: Config = None
) -> None:
    """Give a person another role."""
    from qagate.store import people

    with _writing(config) as (_, session, at):
        row = people.get(session, name)
        people.set_role(session, row, role, by=people.CONSOLE, at=at)
    typer.echo(f"{row.name} is {row.role}")


@user.command("password")
@plain_errors
def change_password(name: Name, password: TypedPassword = False, config: Config = None) -> None:
    """Print a one-time token with which a person sets another password."""
    from qagate.store import credentials, invitations, people

    typed = _asked_password() if password else None
    with _writing(config) as (settings, session, at):
        row = people.get(session, name)
        if typed is None:
            _print_invitation(settings, row.name, invitations.invite(session, row, by=people.CONSOLE, at=at))
        else:
            kept = credentials.hash_password(typed, name=row.name, least=settings.people.password_min_length)
            people.set_password(session, row, kept, by=people.CONSOLE, at=at)
            typer.echo(f"{row.name} has another password and must log in again")


@user.command("disable")
@plain_errors
def disable_user(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    config: Config = None,
) -> None:
    """Let a person in no more: logins and tokens end at once."""
    from qagate.store import people

    with _writing(config) as (_, session, at):
        row = people.get(session, name)
        (people.enable if undo else people.disable)(session, row, by=people.CONSOLE, at=at)
    typer.echo(f"{row.name} {'may come in again' if undo else 'comes in no more'}")


@token.command("add")
@plain_errors
def add_token(
    person: Annotated[str, typer.Argument(help="In whose name the program speaks.")],
    name: Annotated[str, typer.Argument(help="What the program is called.")],
    scope: Annotated[list[Permission] | None, typer.Option(help="What it may do; repeat it for more.")] = None,
    days: Annotated[
        int, typer.Option(min=0, max=36500, help="Days until it no longer works; 0: until it is revoked.")
    ] = 365,
    config: Config = None,
) -> None:
    """Print a new token, once. It may do what both its scopes and the person's role grant."""
    from qagate.store import people, tokens

    with _writing(config) as (_, session, at):
        row = people.get(session, person)
        lasts = timedelta(days=days) if days else None
        secret = tokens.add(session, row, name, scope or [Permission.READ], by=people.CONSOLE, at=at, lasts=lasts)
    typer.echo(secret)


@token.command("list")
@plain_errors
def list_tokens(config: Config = None) -> None:
    """List all tokens, by number."""
    from qagate.store import tokens

    with _writing(config) as (_, session, at):
        for row, person in tokens.listing(session):
            over = row.expires_at is not None and row.expires_at <= at
            until = f"until {row.expires_at:%Y-%m-%d}" if row.expires_at else "until revoked"
            state = "revoked" if row.revoked_at else "expired" if over else until
            used = f"used {row.last_used_at:%Y-%m-%d}" if row.last_used_at else "never used"
            typer.echo(f"{row.id:4} {person}/{row.name:24} {' '.join(row.scopes):28} {state:18} {used}")


@token.command("revoke")
@plain_errors
def revoke_token(
    number: Annotated[int, typer.Argument(help="Its number, from `qagate token list`.")], config: Config = None
) -> None:
    """Let a token work no more."""
    from qagate.store import people, tokens

    with _writing(config) as (_, session, at):
        tokens.revoke(session, tokens.get(session, number), by=people.CONSOLE, at=at)
    typer.echo(f"token {number} works no more")
