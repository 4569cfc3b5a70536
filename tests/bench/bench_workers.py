"""How much faster two workers judge than one, over one PostgreSQL; needs no other load on the machine.

    python tests/bench/bench_workers.py [--series 20] [--images 40] [--repeats 2]

What is measured is the time between the first and the last verdict of series that all wait, taken from the database:
receiving, starting and delivering are outside.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qagate.store.database import Database
from qagate.store.tables import RevisionRow
from tests.crash.node import Node
from tests.crash.sending import Sender, series
from tests.peers.postgres import Postgres


def series_per_minute(workers: int, *, count: int, images: int) -> float:
    """Return how many series a minute so many workers judge while none has to wait for work."""
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        node = Node(
            Path(folder) / "node",
            destinations=[],
            database_url=server.url,
            workers=workers,
            settings={"completion": {"quiet_seconds": 15}},
        )
        with node:
            sender = Sender(node.port)
            for number in range(1, count + 1):
                sender.send(series(number, images))
            node.wait_for_end(count, 400)
        database = Database.open(server.url, migrate=False)
        with database.read() as session:
            times = sorted(at for at in session.scalars(select(RevisionRow.reported_at)) if at is not None)
        database.close()
    assert len(times) == count
    return (count - workers) / ((times[-1] - times[workers - 1]) / timedelta(minutes=1))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(asked.repeats):
        for workers, rates in found.items():
            rates.append(series_per_minute(workers, count=asked.series, images=asked.images))
    one = statistics.median(found[1])
    print(f"{asked.series} MR series of {asked.images} images, {os.cpu_count()} cores, PostgreSQL, one thread a worker")
    print(f"{'workers':>8} {'series/min':>11} {'ratio':>6}  each run")
    for workers, rates in found.items():
        each = " ".join(f"{rate:.1f}" for rate in rates)
        print(f"{workers:>8} {statistics.median(rates):>11.1f} {statistics.median(rates) / one:>6.2f}  {each}")


if __name__ == "__main__":
    main()
