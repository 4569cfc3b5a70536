"""Commands for an archive that is scored afterwards: backfill run, results, list."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from pydantic import ValidationError

from qagate.cli import BAD_INPUT, plain_errors
from qagate.cli.options import Config, database_of_the_node, settings_from
from qagate.domain import spreadsheet
from qagate.domain.assessment import ATTRIBUTES
from qagate.domain.backfill import Progress, Query, Window
from qagate.errors import InputError, SettingsError

backfill = typer.Typer(name="backfill", help="Score what an archive holds already.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Your name for this backfill; the same name goes on where it was.")]

COLUMNS = (
    "study_at", "modality", "description", "study_instance_uid", "series_instance_uid", "volume", "images", "state",
    "detail", "verdict", "score", "interval_low", "interval_high", "reasons", "region", "organ", "sequence", "device",
    "station_name", "policy", "model",
)  # fmt: skip
"""Columns of the results, before one column for each artefact. Nobody's name or number is among them."""

SECONDS_BETWEEN_LINES = 30.0

STOPPED = 3
"""Exit code of what was stopped in order and is to be continued."""


@backfill.command()
@plain_errors
def run(
    name: Name,
    source: Annotated[str, typer.Option("--from", help="The archive: name of one of the destinations.")],
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First study date.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last study date.")],
    modality: Annotated[str, typer.Option(help="CT, MR or both.")] = "CT,MR",
    description: Annotated[str, typer.Option(help="Series description, with * and ?, in quotes.")] = "",
    by: Annotated[str | None, typer.Option(help="c-get, c-move or wado-rs; as the destination says if absent.")] = None,
    between: Annotated[str | None, typer.Option(help="Only at this time of day, like 20:00-06:00.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Time zone of the site, like Europe/Berlin; the machine's own if absent.")
    ] = None,
    per_hour: Annotated[float, typer.Option(min=0, help="Series in an hour at most; 0 = no limit.")] = 0,
    ahead: Annotated[int, typer.Option(min=1, max=64, help="Series fetched before their verdict, at most.")] = 4,
    report: Annotated[bool, typer.Option("--report", help="Write SR, SC and KO too, and deliver them.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Begin with what could not be had before.")] = False,
    config: Config = None,
) -> None:
    """Fetch the series of a query and have them judged, behind what scanners send; stop with Ctrl-C, go on any time."""
    from qagate.clock import SystemClock
    from qagate.observe.log import configure
    from qagate.store import backfills
    from qagate.work.archived import destination_for
    from qagate.work.backfilling import Backfilling, Manner
    from qagate.work.waiting import when_there

    settings = settings_from(config)
    configure(settings.logging, "backfill")
    zone = _zone(timezone)
    modalities = tuple(sorted({one.strip().upper() for one in modality.split(",") if one.strip()}))
    if not modalities or not set(modalities) <= {"CT", "MR"}:
        raise InputError(f"only CT and MR series are judged, got {modality}")
    query = Query(since.date(), until.date(), modalities, description)
    manner = Manner(Window.read(between, zone) if between else None, per_hour, ahead, zone)
    try:
        destination = destination_for(settings, source, by)
    except ValidationError as error:  # words without the destination, whose token stands in it
        raise InputError(f"--by {by}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    # after a reboot the server may come later: ending with 2 would say that the query is wrong, and nothing would go on
    database = when_there(settings.database_url, told)
    if database is None:
        _stopped()
    with database.begin() as session:
        row, _ = backfills.begin(session, name, destination=source, query=query, report=report, at=datetime.now(UTC))
        if retry:
            typer.echo(f"{backfills.retry(session, row.id)} series are tried again", err=True)
    with _lines() as say:
        progress = Backfilling(settings, database, SystemClock(), row, destination, manner, say).run(told)
    database.close()
    if not progress.ended:
        _stopped()


def _stopped() -> NoReturn:
    typer.echo("stopped; the same command goes on from here", err=True)
    raise typer.Exit(STOPPED)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(f"a time zone must look like Europe/Berlin, got {name!r}") from None


@contextmanager
def _lines() -> Iterator[Any]:
    """Give what writes progress to standard error: one line that changes where a person watches, else now and then."""
    stream = sys.stderr
    last = [float("-inf")]

    def say(progress: Progress) -> None:
        import time

        if stream.isatty():
            stream.write(f"\r\033[K{progress}")
            stream.flush()
        elif progress.ended or time.monotonic() - last[0] >= SECONDS_BETWEEN_LINES:
            last[0] = time.monotonic()
            stream.write(f"{progress}\n")
            stream.flush()

    try:
        yield say
    finally:
        if stream.isatty():
            stream.write("\n")


@backfill.command(name="list")
@plain_errors
def overview(config: Config = None) -> None:
    """Say how far each backfill is."""
    from qagate.store import backfills

    database = database_of_the_node(settings_from(config))
    with database.read() as session:
        for row in backfills.every(session):
            typer.echo(f"{row.name}: {Query.from_json(row.query)} from {row.destination}")
            typer.echo(f"  {backfills.progress(session, row, now=datetime.now(UTC))}")
    database.close()


@backfill.command()
@plain_errors
def results(
    name: Annotated[str, typer.Argument(help="Name of the backfill.")],
    path: Annotated[Path | None, typer.Argument(help="Where to write them; standard output if absent.")] = None,
    config: Config = None,
) -> None:
    """Write what came of a backfill as CSV, one line for each volume; any time, also while it goes on."""
    from qagate.store import backfill_results, backfills

    database = database_of_the_node(settings_from(config))
    with database.read() as session:
        row = backfills.find(session, name)
        if row is None:
            known = ", ".join(one.name for one in backfills.every(session)) or "none"
            typer.echo(f"qagate: there is no backfill of this name (known: {known}), got {name!r}", err=True)
            raise typer.Exit(BAD_INPUT)
        lines = (_line(*found) for found in backfill_results.results(session, row.id))
        if path is None:
            _write(sys.stdout, lines)
        else:
            partial = path.with_name(f".{path.name}.part")
            try:
                with partial.open("w", encoding="utf-8", newline="") as file:
                    _write(file, lines)
                partial.replace(path)
            except OSError as error:
                raise InputError(f"{path} cannot be written: {error.strerror}") from None
    database.close()


def _write(file: IO[str], lines: Iterator[list[Any]]) -> None:
    spreadsheet.write(file, [[*COLUMNS, *ATTRIBUTES]])
    spreadsheet.write(file, lines)


def _line(item: Any, series: Any, document: dict[str, Any]) -> list[Any]:
    """Return one line of the results: a volume's, or a series' that has none."""
    prompt, model = document.get("prompt") or {}, document.get("model") or {}
    low, high = document.get("interval") or (None, None)
    judged = item.state in ("fetched", "known") and series is not None
    return [
        item.study_at and item.study_at.isoformat(),
        item.modality,
        item.description,
        item.study_instance_uid,
        item.series_instance_uid,
        (document.get("source") or {}).get("volume_index"),
        series.instances if judged else item.images,
        series.state if item.state == "fetched" and judged else item.state,
        item.detail or (series.state_reason if judged else ""),
        document.get("verdict"),
        document.get("score"),
        low,
        high,
        " ".join(document.get("reasons") or ()),
        " ".join(prompt.get("regions") or ()),
        prompt.get("organ"),
        prompt.get("sequence"),
        series.device if judged else "",
        series.station_name if judged else "",
        (document.get("policy") or {}).get("name"),
        f"{model['name']} {model['version']} {model['sha256'][:8]}" if model else "",
        *((document.get("attributes") or {}).get(name) for name in ATTRIBUTES),
    ]
