"""How much faster two workers judge than one, over one PostgreSQL; needs no other load on the machine.

    python tests/bench/bench_workers.py [--series 24] [--images 24] [--repeats 2]

What is measured is the time between the first and the last verdict of series that all wait, taken from the database:
receiving, starting and delivering are outside, and nothing is judged ahead; and the processor time that the workers
spent on each series, which other work on the machine hardly stretches: where it is the same with two as with one,
neither is in the other's way. Each worker has one processor of its own, as on two machines of one each: left alone, one
worker keeps more than one of them busy, because it measures beside judging.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qagate.store.database import Database
from qagate.store.tables import RevisionRow
from tests.crash.node import Node
from tests.crash.sending import Sender, series
from tests.peers.postgres import Postgres

QUIET_SECONDS = 12
"""All series must have come before the first one is complete."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: series judged in a minute, and seconds of processor time of the workers for each."""

    per_minute: float
    cpu_seconds: float


def run(workers: int, *, count: int, images: int) -> Run:
    """Let so many workers judge series while none has to wait for work."""
    made = [series(number, images) for number in range(1, count + 1)]
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        node = Node(
            Path(folder) / "node",
            destinations=[],
            database_url=server.url,
            workers=workers,
            settings={"completion": {"quiet_seconds": QUIET_SECONDS, "ahead": False}},
        )
        with node:
            for number, name in enumerate(node.workers):
                bind(node.pid(name), number)
            before = sum(cpu_seconds(node.pid(name)) for name in node.workers)
            sender, begun = Sender(node.port), time.monotonic()
            for one in made:
                sender.send(one)
            sent = time.monotonic() - begun
            if sent > QUIET_SECONDS:
                print(f"sending took {sent:.0f} s: the first series were judged meanwhile, see --images", flush=True)
            node.wait_for_end(count, 170)
            spent = sum(cpu_seconds(node.pid(name)) for name in node.workers) - before
        database = Database.open(server.url, migrate=False)
        with database.read() as session:
            times = sorted(at for at in session.scalars(select(RevisionRow.reported_at)) if at is not None)
        database.close()
    assert len(times) >= count  # more when a sender had to begin anew
    per_minute = (len(times) - workers) / ((times[-1] - times[workers - 1]) / timedelta(minutes=1))
    return Run(per_minute, spent / len(times))


def bind(pid: int, number: int) -> None:
    """Let a process and all threads that it will have run on one processor; number: 0-based, beyond the last from 0."""
    processors = sorted(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {processors[number % len(processors)]})


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=24)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    found: dict[int, list[Run]] = {1: [], 2: []}
    for _ in range(asked.repeats):
        for workers, runs in found.items():
            runs.append(run(workers, count=asked.series, images=asked.images))
            print(f"{workers} at work: {runs[-1].per_minute:.1f} series/min", file=sys.stderr, flush=True)
    print(f"{asked.series} MR series of {asked.images} images, {os.cpu_count()} cores, PostgreSQL, one core a worker")
    print(f"{'workers':>8} {'series/min':>11} {'ratio':>6} {'CPU s/series':>13} {'ratio':>6}  series/min of each run")
    rate, cost = (statistics.median(getattr(one, what) for one in found[1]) for what in ("per_minute", "cpu_seconds"))
    for workers, runs in found.items():
        its_rate, its_cost = (
            statistics.median(getattr(one, what) for one in runs) for what in ("per_minute", "cpu_seconds")
        )
        each = " ".join(f"{one.per_minute:.1f}" for one in runs)
        print(
            f"{workers:>8} {its_rate:>11.1f} {its_rate / rate:>6.2f} {its_cost:>13.2f} {its_cost / cost:>6.2f}  {each}"
        )


if __name__ == "__main__":
    main()
