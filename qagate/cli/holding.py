"""Commands that let images go or keep them back: release, reject."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime
from typing import Annotated

import typer

from qagate.cli import BAD_INPUT, plain_errors
from qagate.cli.options import Config, database_of_the_node, settings_from

Reason = Annotated[str, typer.Option("--reason", "-r", help="Why, in your own words; stands in the trail.")]


@plain_errors
def release(
    series: Annotated[str | None, typer.Argument(help="Series Instance UID.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Let everything go that is held now.")] = False,
    reason: Reason = "",
    config: Config = None,
) -> None:
    """Let held (or rejected) images of a series go to the PACS."""
    from qagate.store import holding

    if (series is None) is not everything:
        typer.echo("qagate: name one series, or say --all, got " + ("both" if everything else "neither"), err=True)
        raise typer.Exit(BAD_INPUT)
    database = database_of_the_node(settings_from(config))
    with database.begin() as session:
        if series is None:
            number = holding.release_everything(session, by=_who(), reason=reason, at=datetime.now(UTC))
        else:
            number = int(holding.release(session, series, by=_who(), reason=reason, at=datetime.now(UTC)))
    database.close()
    if series is not None and not number:
        typer.echo(f"qagate: the images of this series are neither held nor rejected, got {series}", err=True)
        raise typer.Exit(BAD_INPUT)
    typer.echo(f"{number} series released")


@plain_errors
def reject(
    series: Annotated[str, typer.Argument(help="Series Instance UID.")],
    reason: Reason = "",
    code: Annotated[str, typer.Option(help="Reason for rejection notes, as motion_blur or artifact.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    config: Config = None,
) -> None:
    """Reject a series: held images stay back; destinations that want rejection notes get one.

    With review.two_person_rejection it is a proposal until another person rejects it too, here or on its page.
    """
    from qagate.domain.decision import Kind, State, Wish
    from qagate.domain.holding import REJECTION_REASONS
    from qagate.store import decisions, holding

    if code and code not in REJECTION_REASONS:
        typer.echo(f"qagate: the reason must be one of {', '.join(REJECTION_REASONS)}, got {code!r}", err=True)
        raise typer.Exit(BAD_INPUT)
    settings = settings_from(config)
    notes = ", ".join(d.name for d in settings.destinations if d.rejection_notes) or "nobody"
    if not yes:
        typer.confirm(f"Reject {series}? A rejection note goes to {notes}.", abort=True)
    database = database_of_the_node(settings)
    said, now = "rejected", datetime.now(UTC)
    with database.begin() as session:
        if settings.review.two_person_rejection:
            wish, version = Wish(Kind.REJECT, code, note=reason), decisions.of(session, series).version
            decisions.decide(session, series, wish, person=_who(), version=version, at=now, two_person=True)
            if decisions.of(session, series).state is State.PROPOSED:
                said = "is to be rejected: another person must reject it too, here or on its page"
            known = True
        else:
            known = holding.reject(session, series, by=_who(), reason=reason, code=code, at=now)
    database.close()
    if not known:
        typer.echo(f"qagate: there is no series with this UID, got {series}", err=True)
        raise typer.Exit(BAD_INPUT)
    typer.echo(f"{series} {said}")


def _who() -> str:
    """Return whose account this is; the environment, which getpass asks, would let one person be two."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no name for this user id
        return "command line"
