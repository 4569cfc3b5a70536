"""Commands for the person who looks after the node: init, check, status, requeue, give-up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from qagate.cli import BAD_INPUT, plain_errors
from qagate.cli.options import Config, database_of_the_node, settings_from
from qagate.errors import SettingsError

SILENT = timedelta(minutes=2)
"""A worker that was not heard for so long is none: it beats every few seconds."""


@plain_errors
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("qagate.toml"),
    show: Annotated[bool, typer.Option("--print", help="Print it instead of writing a file.")] = False,
) -> None:
    """Write a settings file in which every setting stands with its meaning and default."""
    from qagate.cli.template import settings_template

    text = settings_template()
    if show:
        typer.echo(text, nl=False)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SettingsError(f"{path} is there already and is left as it is; name another file") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None
    typer.echo(f"{path} written. Next: add your scanners under node.peers and your PACS under destinations, then")
    typer.echo(f"  qagate check --config {path}")
    typer.echo(f"  qagate serve --config {path}")


@plain_errors
def check(
    config: Config = None,
    alert: Annotated[
        bool, typer.Option("--alert", help="Send a test message to alerts.urls, and look no further.")
    ] = False,
) -> None:
    """Look before the first patient: destinations, disk, database, model, clock; and what the PACS team must enter."""
    if alert:
        from qagate.deliver.message import send

        urls = settings_from(config).alerts.urls
        if not urls:
            raise SettingsError("alerts.urls names nobody to send to, got none")
        send(urls, "qagate: test", "This is a test. Alerts of this node arrive here.")
        typer.echo(f"sent to {len(urls)} {'address' if len(urls) == 1 else 'addresses'}")
        return
    from qagate.judge.doubtful import doubtful
    from qagate.work.checked import Item
    from qagate.work.preflight import inspect

    settings = settings_from(config)
    report = inspect(settings)
    for item in (*report.items, *(Item("policies", "warning", words) for words in doubtful(settings.policies))):
        mark = {"good": "●", "warning": "▲", "bad": "⬣"}[item.state]
        typer.echo(f"{mark} {item.what:14} {item.detail}")
    typer.echo("")
    typer.echo(report.for_the_pacs_team)
    if report.failed:
        raise typer.Exit(1)


@plain_errors
def status(config: Config = None) -> None:
    """Say where every received series is, and what waits for delivery."""
    from qagate.domain.delivery import DELIVERY_WORDS
    from qagate.store import accounting, backfills, forwarding, holding, reconciliation, revisions, workers, worklist
    from qagate.store.accounting import midnights
    from qagate.work.retention import disk_words
    from qagate.work.ways import unnamed

    settings = settings_from(config)
    database = database_of_the_node(settings)
    with database.read() as session:
        yesterday, today = accounting.days(session, midnights(datetime.now(UTC), 2))
        for title, account in (
            ("yesterday", yesterday.whole),
            ("today", today.whole),
            ("all", worklist.account(session)),
        ):
            typer.echo(
                f"{title:12} {account.received} received = {account.accepted} good + {account.flagged} to look at"
                f" + {account.unscored} without score + {account.excluded} excluded + {account.failed} failed"
                f" + {account.pending} pending; {account.unaccounted} unaccounted"
            )
        for source, account in today.sources.items():
            typer.echo(
                f"  {source:10} {account.received} today = {account.scored} scored + {account.unscored} without score"
                f" + {account.excluded} excluded + {account.failed} failed + {account.pending} pending"
            )
        for reason, number in accounting.reasons(session, since=yesterday.since).items():
            typer.echo(f"  {number:6} not scored: {reason}")
        for compared in reconciliation.latest(session):
            typer.echo(f"{compared.destination:12} {compared.words}")
        for (destination, state), number in sorted(worklist.delivery_counts(session).items()):
            typer.echo(f"{destination:12} {number} {DELIVERY_WORDS[state]}")
        for (destination, state), number in sorted(forwarding.counts(session).items()):
            typer.echo(f"{destination:12} {number} images {DELIVERY_WORDS[state]}")
        for words in unnamed(session, settings):
            typer.echo(f"{'WAITING':12} {words}")
        held = holding.waiting(session)
        if held:
            typer.echo(
                f"{'held':12} {len(held)} series; the next is released at {held[0].until:%H:%M:%S} UTC at the latest"
            )
        if words := disk_words(settings):
            typer.echo(f"{'DISK':12} {words}")
        now = datetime.now(UTC)
        for row in backfills.every(session):
            if row.ended_at is None or now - row.ended_at < timedelta(days=7):
                typer.echo(f"{'backfill':12} {row.name}: {backfills.progress(session, row, now=now)}")
        at_work = workers.every(session)
        for worker in at_work:
            seconds = max((now - worker.beat_at).total_seconds(), 0)
            takes = worker.queues or "all queues"
            where = f" on {worker.device}" if worker.device else ""
            typer.echo(f"{'worker':12} {worker.executor_id} takes {takes}{where}; seen {seconds:.0f} s ago")
        waiting = len(revisions.queued(session))
        alive = [worker for worker in at_work if now - worker.beat_at < SILENT]
        if not any("score" in (worker.queues or "score") for worker in alive):
            words = f"{waiting} series wait for a verdict, and " if waiting else ""
            typer.echo(f"{'WAITING':12} {words}no worker judges; start `qagate work`, or see its log")
        stuck = forwarding.overdue(session, before=datetime.now(UTC) - timedelta(minutes=2))
        if stuck:
            typer.echo(f"{'WAITING':12} {stuck} images are forwarded by nobody; does `qagate forward` run?")
    database.close()


@plain_errors
def requeue(
    destination: Annotated[str | None, typer.Argument(help="Only what is parked for this destination.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Judge series again that were set aside.")] = False,
    config: Config = None,
) -> None:
    """Try parked deliveries again; with --failed, judge series again that were set aside."""
    from qagate.store import forwarding, outbox, revisions

    settings = settings_from(config)
    if destination is not None and failed:
        typer.echo(f"qagate: --failed is about series, not about a destination, got both: {destination}", err=True)
        raise typer.Exit(BAD_INPUT)
    if destination is not None and destination not in {d.name for d in settings.destinations}:
        known = ", ".join(d.name for d in settings.destinations) or "none"
        typer.echo(f"qagate: there is no destination of this name (known: {known}), got {destination!r}", err=True)
        raise typer.Exit(BAD_INPUT)
    database = database_of_the_node(settings)
    with database.begin() as session:
        if failed:
            said = f"{revisions.requeue(session, None, at=datetime.now(UTC))} series are judged again"
        else:
            number = outbox.requeue(session, destination=destination, at=datetime.now(UTC))
            number += forwarding.requeue(session, destination=destination, at=datetime.now(UTC))
            said = f"{number} deliveries are tried again"
    database.close()
    typer.echo(said)


@plain_errors
def give_up(
    destination: Annotated[str, typer.Argument(help="Our name for it; it may be gone from the settings.")],
    by: Annotated[str, typer.Option(prompt="Your name", help="Who decides it; stands in the audit trail.")],
    reason: Annotated[str, typer.Option("--reason", "-r", prompt="Why", help="Why; stands in the audit trail.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    config: Config = None,
) -> None:
    """Give up for good what is parked for a destination that never comes back; what others lack stays."""
    from qagate.store import giving_up, undelivered

    if not by.strip() or not reason.strip():
        typer.echo("qagate: who gives it up and why must be said, got nothing", err=True)
        raise typer.Exit(BAD_INPUT)
    database = database_of_the_node(settings_from(config))
    with database.read() as session:
        number = undelivered.counts(session).get(destination, {}).get("parked", 0)
    if not number:
        database.close()
        typer.echo(f"qagate: nothing is parked for this destination, got {destination!r}", err=True)
        raise typer.Exit(BAD_INPUT)
    if not yes:
        typer.confirm(f"Never send {number} documents and images to {destination}?", abort=True)
    total = giving_up.give_up(database, destination, by=by.strip(), why=reason.strip(), at=datetime.now(UTC))
    database.close()
    typer.echo(f"{total.documents} documents and {total.images} images of {total.series} series are given up")
