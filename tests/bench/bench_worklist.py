"""Measure how fast the worklist answers when the database holds a million series, in SQLite and in PostgreSQL.

    python tests/bench/bench_worklist.py [--series 1000000] [--repeats 7] [--databases sqlite,postgresql] [--keep DIR]

The database is filled by bulk insert and served by the node's own web application over loopback; the table shows the
median of the repeats of each request in milliseconds, and the median of the processor time that the node and the
database spent on it, which a busy machine does not stretch. A cold first request is not counted. Each database is asked
twice: as it is, and veiled, by a site that draws series to be judged blind, of which nobody has judged any. With --keep
the SQLite file stays in that folder and is used again. Exit code 1 when a request took more than 200 ms of processor
time.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from qagate.settings import Settings  # noqa: E402
from qagate.store.database import Database  # noqa: E402
from qagate.web.app import create_app  # noqa: E402
from tests.bench.many_series import BLIND, fill  # noqa: E402

LIMIT_MS = 200.0

REQUESTS = {
    "worklist": "/",
    "to do": "/?verdict=todo",
    "to do, CT, page 100": "/?verdict=todo&modality=CT&page=100",
    "latest first": "/?order=latest",
    "flagged first": "/?order=flagged",
    "look": "/?verdict=review",
    "flagged": "/?verdict=flagged",
    "no score": "/?verdict=unscored",
    "modality": "/?modality=CT",
    "modality, bad": "/?modality=MR&verdict=reject",
    "organ": "/?organ=knee",
    "scanner": "/?scanner=CT03",
    "scanner by AE title": "/?scanner=AE_CT03",
    "retired scanner": "/?scanner=CTOLD",
    "protocol": "/?protocol=Knee+PD+FS",
    "rare protocol": "/?protocol=Physics+test",
    "scanner, protocol": "/?scanner=CT03&protocol=Abdomen+venous",
    "scanner, verdict, week": "/?scanner=CT03&verdict=review&date=week",
    "yesterday": "/?date=yesterday",
    "a day long ago": "/?date=2025-03-03",
    "flagged first, scanner": "/?order=flagged&scanner=MR02",
    "page 2": "/?page=2",
    "page 1000": "/?page=1000",
    "page 10000": "/?page=10000",
    "CT, page 5000": "/?modality=CT&page=5000",
    "look, page 400": "/?verdict=review&page=400",
    "flagged first, page 5000": "/?order=flagged&page=5000",
    "text in many": "/?text=abd",
    "text in few": "/?text=physics",
    "text in none": "/?text=zzzz",
    "text and filter": "/?text=venous&modality=CT&verdict=review",
    "accession": "/?text=ACC00123456",
    "accession, its tail": "/?text=3456",
    "accession, its beginning": "/?text=ACC001",
    "series UID": "/?text=1.2.826.0.1.3680043.10.1.0500000",
    "rows, live": "/rows",
    "API": "/api/v1/series",
    "API, offset 500000": "/api/v1/series?offset=500000",
    "API, failed": "/api/v1/series?state=failed",
    "account of a day": "/api/v1/account?since=2026-03-03T00:00:00Z&until=2026-03-04T00:00:00Z",
    "CSV, first line": "/api/v1/series.csv?verdict=review",
}
"""What is asked: name → address."""


def main() -> int:
    """Fill, ask, print; 1 when something took too long."""
    parser = argparse.ArgumentParser(description="answers of the worklist over many series")
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    found: dict[str, dict[str, Taken]] = {}
    for name in options.databases.split(","):
        with (
            tempfile.TemporaryDirectory(prefix="qagate-bench-") as folder,
            address(name, options.keep) as (url, postmaster),
        ):
            database = Database.open(url)
            began = time.perf_counter()
            if fill(database, options.series, datetime.now(UTC)):
                print(f"{name}: {options.series} series written in {time.perf_counter() - began:.0f} s", flush=True)
            for title, review in ((name, {}), (f"{name} veiled", asdict(BLIND))):
                settings = Settings.model_validate(
                    {
                        "storage": {"data_dir": folder, "reserve_mb": 0, "database_url": url},
                        "people": {"anonymous_role": "viewer"},
                        "review": {f"blind_{what}": share for what, share in review.items()},
                    }
                )
                with served(settings, database) as port:
                    found[title] = {t: ask(port, path, options.repeats, postmaster) for t, path in REQUESTS.items()}
            database.close()
    return show(found)


@contextlib.contextmanager
def address(name: str, keep: Path | None) -> Iterator[tuple[str, str]]:
    """Yield the URL of an empty database, or of the one that was kept, and its server's process id."""
    if name == "postgresql":
        from tests.peers.postgres import Postgres

        with Postgres() as postgres:
            yield postgres.url, (postgres.folder / "data/postmaster.pid").read_text().split()[0]
        return
    with tempfile.TemporaryDirectory(prefix="qagate-bench-") as folder:
        yield f"sqlite:///{(keep or Path(folder)).absolute() / 'qagate.db'}", ""


@contextlib.contextmanager
def served(settings: Settings, database: Database) -> Iterator[int]:
    """Yield the port of the running application."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(settings, database), log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@dataclass(frozen=True, slots=True)
class Taken:
    """Medians of one request, in milliseconds: on the clock, and of processors."""

    clock: float
    processor: float


def ask(port: int, path: str, repeats: int, postmaster: str) -> Taken:
    """Return how long an answer takes, the whole body read, after a first one that is not counted."""
    taken = []
    for _ in range(repeats + 1):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        began, spent = time.perf_counter(), processor_seconds(postmaster)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(1) if ".csv" in path else answer.read()
        taken.append((time.perf_counter() - began, processor_seconds(postmaster) - spent))
        connection.close()
        if answer.status != 200 or not body:
            raise SystemExit(f"{path} was answered with {answer.status}")
    return Taken(*(1000 * statistics.median(values) for values in zip(*taken[1:], strict=True)))


def processor_seconds(postmaster: str) -> float:
    """Return the processor time so far of this process and of the children of a PostgreSQL server (its id)."""
    total = time.process_time()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            if name == "postgres" and fields[1] == postmaster:
                total += sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")
    return total


def show(found: dict[str, dict[str, Taken]]) -> int:
    """Print the table; return 1 when something took more processor time than the limit."""
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{'request':26}" + "".join(f"{name + ' ms':>22}{'processor':>10}" for name in found) + "  address")
    slow = 0
    for title, path in REQUESTS.items():
        line = f"{title:26}"
        for taken in (found[name][title] for name in found):
            beyond = taken.processor > LIMIT_MS
            slow += beyond
            line += f"{taken.clock:22.0f}{taken.processor:9.0f}{'!' if beyond else ' '}"
        print(f"{line}  {path}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
