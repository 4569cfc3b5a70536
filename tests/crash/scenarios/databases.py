"""The database goes away, comes back, keeps silent, is locked or full."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from tests.crash.scenario import BOTH, POSTGRESQL, scenario
from tests.crash.scenarios.destinations import NOT_AHEAD
from tests.crash.sending import series
from tests.crash.stage import Setup, Stage

AWAY_SECONDS = float(os.environ.get("QAGATE_TEST_AWAY_SECONDS", "5"))
"""How long a database server stays away."""

SERVER = Setup("server-goes-away")
FILE = Setup("locked-file")
IN_FRONT = Setup("locked-file-in-front", inline=True)
LOCKED_SECONDS = 60.0
FULL_DATABASE = Setup("full-database", disks={"database": "40m", "postgres": "400m"}, own=True)
SMALL_SERVER = Setup("full-server", disks={"postgres": "400m"}, own=True)


@contextmanager
def _away(stage: Stage) -> Iterator[None]:
    assert stage.cluster is not None
    stage.cluster.stop()
    try:
        yield
    finally:
        stage.cluster.start()


@scenario(
    "server-down-while-receiving", "the server is away while images come", SERVER, databases=POSTGRESQL, fast=True
)
def _(stage: Stage) -> None:
    numbers = [stage.send()]
    with _away(stage):
        end = time.monotonic() + AWAY_SECONDS
        numbers.append(stage.send())
        while time.monotonic() < end or "reception goes on" not in stage.node.log():
            if len(numbers) < 8:
                numbers.append(stage.send())
            time.sleep(0.1)
    assert set(stage.sender.statuses) == {0}, "objects were refused because the database was away"
    stage.at_end(*numbers, seconds=240)


@scenario("server-down-while-judging", "the server goes away while a series is judged", NOT_AHEAD, databases=POSTGRESQL)
def _(stage: Stage) -> None:
    number = stage.send(30)
    stage.wait(lambda: stage.state(number)[0] == "queued", "it to be judged")
    with _away(stage):
        time.sleep(AWAY_SECONDS)
    stage.at_end(number, seconds=240)


@scenario("server-down-while-sending", "the server goes away while a report is sent", SERVER, databases=POSTGRESQL)
def _(stage: Stage) -> None:
    stage.pacs.delay_seconds = 2
    number = stage.send()
    stage.wait(lambda: stage.deliveries(number) and stage.pacs.asked.total(), "a report to be on its way")
    with _away(stage):
        stage.pacs.well()
        time.sleep(AWAY_SECONDS)
    stage.at_end(number, seconds=240)


@scenario("server-flaps", "the server restarts five times in a row", SERVER, databases=POSTGRESQL)
def _(stage: Stage) -> None:
    numbers = []
    for _ in range(5):
        numbers.append(stage.send())
        with _away(stage):
            numbers.append(stage.send())
    assert set(stage.sender.statuses) == {0}
    stage.at_end(*numbers, seconds=300)


@scenario("connections-cut", "all connections of the server are cut, again and again", SERVER, databases=POSTGRESQL)
def _(stage: Stage) -> None:
    assert stage.cluster is not None
    url = stage.cluster.url.replace("+psycopg", "")
    numbers = []
    for _ in range(6):
        numbers.append(stage.send())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            )
        time.sleep(0.3)
    stage.at_end(*numbers, seconds=240)


def _processes_of(folder: Path) -> list[int]:
    leader = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    found = [leader]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == leader:
                found.append(int(entry.name))
    return found


@scenario("server-hangs", "the server keeps its connections and answers nothing", SERVER, databases=POSTGRESQL)
def _(stage: Stage) -> None:
    assert stage.cluster is not None
    first = stage.send()
    stopped = _processes_of(stage.cluster.folder)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        second = stage.send()  # taken all the same
        time.sleep(AWAY_SECONDS)
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
    assert set(stage.sender.statuses) == {0}
    stage.at_end(first, second, seconds=240)


@scenario("killed-while-server-is-away", "all processes die while the server is away", SERVER, databases=POSTGRESQL)
def _(stage: Stage) -> None:
    with _away(stage):
        number = stage.send()
        for process in stage.node.processes:
            stage.node.kill(process)
        stage.wait(lambda: stage.node.deaths["receive"] >= 1, "it to be started again")
        other = stage.new()
        stage.sender.send(series(other))
    stage.node.ready()
    stage.at_end(number, other, seconds=240)


@scenario("file-locked", "another program holds the database file for longer than anybody waits", FILE, fast=True)
def _(stage: Stage) -> None:
    numbers = [stage.send()]
    with closing(sqlite3.connect(stage.node.database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout=30000")
        other.execute("BEGIN IMMEDIATE")
        numbers += [stage.send(), stage.send()]
        stage.wait(lambda: "reception goes on" in stage.node.log(), "the receiver to lose patience", 60)
        other.execute("ROLLBACK")
    assert set(stage.sender.statuses) == {0}
    stage.at_end(*numbers, seconds=240)


@contextmanager
def _locked(stage: Stage) -> Iterator[None]:
    with closing(sqlite3.connect(stage.node.database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout=30000")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@scenario(
    "inline-file-locked", "inline, the file is locked for a minute while images come, wait and are sent", IN_FRONT
)
def _(stage: Stage) -> None:
    stage.pacs.delay_seconds = 0.5
    numbers = [stage.send(20)]
    stage.wait(lambda: stage.pacs.asked.total(), "images to be on their way")
    with _locked(stage):
        end = time.monotonic() + LOCKED_SECONDS
        while time.monotonic() < end:
            numbers.append(stage.send(2))
            time.sleep(10)
        stage.pacs.well()
    assert set(stage.sender.statuses) == {0}
    stage.at_end(*numbers, seconds=240)
    for number in numbers:
        stage.wait(lambda number=number: stage.images_at(stage.pacs, number) >= 2, f"series {number} at the PACS", 150)


@scenario("inline-file-locked-at-start", "inline, the file is locked for a minute while everything starts", IN_FRONT)
def _(stage: Stage) -> None:
    number = stage.send()
    with _locked(stage):
        for process in stage.node.processes:
            stage.node.kill(process)
        time.sleep(LOCKED_SECONDS)
        other = stage.new()
        stage.sender.send(series(other))
    stage.node.ready()
    stage.at_end(number, other, seconds=240)
    for one in (number, other):
        stage.wait(lambda one=one: stage.images_at(stage.pacs, one) == 3, f"series {one} at the PACS", 150)


@scenario("file-locked-in-bits", "another program locks the file every second, for a second", FILE)
def _(stage: Stage) -> None:
    numbers = []
    with closing(sqlite3.connect(stage.node.database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout=30000")
        for _ in range(6):
            other.execute("BEGIN IMMEDIATE")
            numbers.append(stage.send())
            time.sleep(1)
            other.execute("COMMIT")
    stage.at_end(*numbers)


@scenario(
    "database-full",
    "the disk of the database is full for a while: images are taken, the rest waits",
    FULL_DATABASE,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    disk = "database" if stage.kind == "sqlite" else "postgres"
    numbers = [stage.send()]
    stage.at_end(numbers[0])
    stage.fill(disk)
    for _ in range(60):  # what is reserved in the files is used up first
        numbers.append(stage.send())
        if "reception goes on" in stage.node.log():
            break
    stage.wait(lambda: "reception goes on" in stage.node.log(), "the receiver to see it")
    time.sleep(2)
    stage.empty(disk)
    if stage.cluster is not None:  # its server may have given up
        stage.cluster.stop()
        stage.cluster.start()
    assert set(stage.sender.statuses) == {0}, "objects were refused because the database was full"
    stage.at_end(*numbers, seconds=400)
