"""Commands that run the node or a part of it."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from qagate.cli import plain_errors
from qagate.cli.options import Config, config_arguments, settings_from

logger = logging.getLogger(__name__)


def _until_told() -> threading.Event:
    from qagate.work.supervisor import follow_parent

    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    follow_parent()
    return told


@plain_errors
def serve(config: Config = None) -> None:
    """Run the whole node on this machine: receive, work and web."""
    from qagate.errors import StoreError
    from qagate.observe.log import configure
    from qagate.store.database import Database
    from qagate.work.supervisor import Supervisor, follow_parent

    settings = settings_from(config)
    configure(settings.logging, "serve")
    follow_parent()  # the demo's
    try:
        Database.open(settings.database_url).close()  # migrated once, before the children open it
    except StoreError as error:
        # images are safe in the spool without a database, and its verdicts come when it does
        logger.warning("%s; images are taken all the same, and everything else waits for it", error)
    arguments = config_arguments(config)
    receivers = [f"receive-{i + 1}" for i in range(settings.node.receivers)]
    children = {name: ["receive", "--name", name, *arguments] for name in receivers}
    if any(destination.originals for destination in settings.destinations):
        children["forward"] = ["forward", *arguments]
    children |= {"work": ["work", *arguments], "web": ["web", *arguments]}
    # without a worker images are still taken and kept: better late verdicts than refused images
    raise typer.Exit(Supervisor(children, dispensable=("work",)).run())


@plain_errors
def receive(
    config: Config = None,
    name: Annotated[str, typer.Option(help="Name of this receiver; several may share the port.")] = "receive-1",
) -> None:
    """Run only the DICOM receiver."""
    from qagate.clock import SystemClock
    from qagate.observe.log import configure
    from qagate.receive.spool import Spool
    from qagate.store.database import Database
    from qagate.store.routing import Routing
    from qagate.work.opening import open_receiver
    from qagate.work.receiving import Registrar

    settings = settings_from(config)
    configure(settings.logging, "receive")
    told, clock = _until_told(), SystemClock()
    database = Database.reach(settings.database_url)
    spool = Spool(settings.spool_dir, settings.storage.reserve_mb << 20)
    routing = Routing.of(settings)
    registrar = Registrar(database, spool, clock, receiver=f"{socket.gethostname()}:{name}", routing=routing)
    registrar.start()
    receiver = open_receiver(settings, registrar, spool, database, clock)
    receiver.start()
    told.wait()
    receiver.stop()
    registrar.stop()
    database.close()


@plain_errors
def forward(
    config: Config = None,
    name: Annotated[str, typer.Option(help="Name of this forwarder; what it leaves unfinished it continues.")] = (
        "forward-1"
    ),
) -> None:
    """Run only the forwarder: it lets held images go and carries images to destinations with originals = true."""
    from qagate.clock import SystemClock
    from qagate.observe.log import configure
    from qagate.store.database import Database
    from qagate.work.forwarding import Forwarder

    settings = settings_from(config)
    configure(settings.logging, "forward")
    told = _until_told()
    database = Database.reach(settings.database_url)
    with Forwarder(settings, database, SystemClock(), name=f"{socket.gethostname()}:{name}"):
        told.wait()
    database.close()


@plain_errors
def work(
    config: Config = None,
    name: Annotated[
        str, typer.Option(help="Name of this worker; what it leaves unfinished it continues.")
    ] = "worker-1",
    queues: Annotated[
        str | None,
        typer.Option(help="What it takes work from: score, deliver or both (score,deliver); all it can when absent."),
    ] = None,
) -> None:
    """Run only a worker: it judges complete series and delivers the documents."""
    from qagate.observe.log import configure
    from qagate.work.waiting import when_there
    from qagate.work.worker import Worker

    settings = settings_from(config)
    configure(settings.logging, "work")
    told = _until_told()
    database = when_there(settings.database_url, told)
    if database is None:
        return
    named = None if queues is None else [queue.strip() for queue in queues.split(",") if queue.strip()]
    with Worker(settings, database, name=name, queues=named):
        gc.collect()
        gc.freeze()  # what is loaded stays: looking through it again took a quarter of the time of writing a report
        told.wait()
    database.close()


@plain_errors
def web(config: Config = None) -> None:
    """Run only the pages and the API."""
    from qagate.observe.log import configure
    from qagate.web.server import run
    from qagate.work.supervisor import follow_parent

    settings = settings_from(config)
    configure(settings.logging, "web")
    follow_parent()
    run(settings)


@plain_errors
def demo(
    folder: Annotated[Path | None, typer.Argument(help="Send your own DICOM files instead of the samples.")] = None,
    once: Annotated[
        bool, typer.Option(help="Stop when every document has arrived: 0 if so, 1 if one is missing.")
    ] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="Print what happened for a program to read.")] = False,
) -> None:
    """See it work: a scanner, this node and a small PACS, all on this machine."""
    from qagate.demo.start import start

    raise typer.Exit(start(folder=folder, once=once, as_json=json_lines, out=sys.stdout))
