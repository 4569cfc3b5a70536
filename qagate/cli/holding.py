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
    from qagate.domain.decision import Kind, Wish
    from qagate.errors import NothingWaits
    from qagate.store import decisions, releasing

    if (series is None) is not everything:
        typer.echo("qagate: name one series, or say --all, got " + ("both" if everything else "neither"), err=True)
        raise typer.Exit(BAD_INPUT)
    settings = settings_from(config)
    database, number, now = database_of_the_node(settings), 1, datetime.now(UTC)
    try:
        two_person = settings.review.two_person_rejection
        if series is None:
            number = releasing.release_everything(database, by=_who(), reason=reason, at=now, two_person=two_person)
        else:
            with database.begin() as session:
                wish = Wish(Kind.RELEASE, note=reason)
                decisions.decide(session, series, wish, person=_who(), version=None, at=now, two_person=two_person)
    except NothingWaits:
        typer.echo(f"qagate: the images of this series are neither held nor rejected, got {series}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    finally:
        database.close()
    typer.echo(f"{number} series released")


@plain_errors
def reject(
    series: Annotated[str, typer.Argument(help="Series Instance UID.")],
    reason: Reason = "",
    code: Annotated[str, typer.Option(help="Why, as motion_blur or artifact; needed, rejection notes say it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    config: Config = None,
) -> None:
    """Reject a series: held images stay back; destinations that want rejection notes get one.

    With review.two_person_rejection it is a proposal until another person rejects it too, here or on its page.
    """
    from qagate.domain.decision import Kind, Wish
    from qagate.domain.holding import REJECTION_REASONS
    from qagate.store import decisions, holding

    if code not in REJECTION_REASONS:
        typer.echo(f"qagate: --code must be one of {', '.join(REJECTION_REASONS)}, got {code!r}", err=True)
        raise typer.Exit(BAD_INPUT)
    settings = settings_from(config)
    notes = ", ".join(d.name for d in settings.destinations if d.rejection_notes) or "nobody"
    if not yes:
        typer.confirm(f"Reject {series}? A rejection note goes to {notes}.", abort=True)
    database = database_of_the_node(settings)
    said, two_person = "rejected", settings.review.two_person_rejection
    try:
        with database.begin() as session:
            wish, now = Wish(Kind.REJECT, code, note=reason), datetime.now(UTC)
            decisions.decide(session, series, wish, person=_who(), version=None, at=now, two_person=two_person)
            row = holding.get(session, series)
            if row is None or row.state != holding.REJECTED:
                said = "is to be rejected: another person must reject it too, here or on its page"
    finally:
        database.close()
    typer.echo(f"{series} {said}")


def _who() -> str:
    """Return whose account this is; the environment, which getpass asks, would let one person be two."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no name for this user id
        return "command line"
