"""Measure what the node itself asks of its database, with few and with many series in it.

    python -m tests.bench.bench_growth [--series 10 1000 100000] [--instances 10] [--repeats 5]

Each database holds that many judged series with some instances each; then a new series of 120 images arrives in it, is
closed, and its deliveries are looked for. Figures are medians in milliseconds of processor time (SQLite works in this
process). The pages over a million series are bench_worklist's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from qagate.domain.series import StoredInstance
from qagate.store import arrivals, outbox, reception, revisions
from qagate.store.database import Database
from qagate.store.tables import InstanceRow, SeriesRow
from tests.bench.many_series import fill

IMAGES = 120
BATCH = 50_000


def fill_instances(database: Database, each: int, now: datetime) -> None:
    """Write that many judged instances for every series."""
    with database.engine.begin() as connection:
        uids = connection.execute(select(SeriesRow.series_instance_uid)).scalars().all()
        rows: list[dict[str, Any]] = []
        for uid in uids:
            for number in range(each):
                rows.append(
                    {
                        "series_instance_uid": uid, "sop_instance_uid": f"{uid}.{number}", "sop_class_uid": "1.2",
                        "transfer_syntax_uid": "1.2.1", "path": f"/spool/{uid}/{uid}.{number}.dcm",
                        "size_bytes": 525_000, "sha256": f"{number:064d}", "association_id": "", "received_at": now,
                        "revision": 1,
                    }
                )  # fmt: skip
            if len(rows) >= BATCH:
                connection.execute(insert(InstanceRow), rows)
                rows = []
        if rows:
            connection.execute(insert(InstanceRow), rows)


def tasks(database: Database, number: int, now: datetime) -> dict[str, Callable[[], object]]:
    """Return what is measured, in order, for the number-th new series."""
    uid = f"2.25.9{number:04d}"
    arriving = [
        StoredInstance(
            Path(f"/spool/{uid}/{i}.dcm"), f"{uid}.{i}", "1.2", "1.2.1", uid, "2.25.8", "CT", 525_000, f"{i:064d}",
            "CT01", now, association_id=uid,
        )
        for i in range(IMAGES)
    ]  # fmt: skip

    def register() -> None:
        with database.begin() as session:
            reception.open_association(
                session, association_id=uid, calling_ae_title="CT01", called_ae_title="Q", host="h", receiver="r",
                at=now,
            )  # fmt: skip
            reception.register(session, arriving)
            reception.close_association(session, association_id=uid, at=now, aborted=False)

    def close() -> None:
        with database.begin() as session:
            revisions.close_series(session, uid, completed_by="quiet", at=now)

    def reading(ask: Callable[[Any], object]) -> Callable[[], None]:
        def read() -> None:
            with database.read() as session:
                ask(session)

        return read

    return {
        f"note {IMAGES} images": register,
        "what is being received": reading(arrivals.every),
        "close the series": close,
        "what waits to be judged": reading(revisions.queued),
        "files of the series": reading(lambda session: reception.spool_paths(session, uid, 1)),
        "deliveries that are due": reading(lambda session: outbox.due(session, now)),
    }


def main() -> None:
    """Measure and print a table, then the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, nargs="+", default=[10, 1_000, 100_000])
    parser.add_argument("--instances", type=int, default=10, help="of each series that is there already")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    found: dict[int, dict[str, float]] = {}
    for number in options.series:
        with tempfile.TemporaryDirectory() as folder:
            database = Database.open(f"sqlite:///{Path(folder) / 'qagate.db'}")
            now = datetime.now(UTC)
            fill(database, number, now)
            fill_instances(database, options.instances, now)
            times: dict[str, list[float]] = {}
            for repeat in range(options.repeats + 1):
                for name, task in tasks(database, repeat, now).items():
                    begun = time.process_time()
                    task()
                    times.setdefault(name, []).append(1000 * (time.process_time() - begun))
            found[number] = {name: round(statistics.median(values[1:]), 2) for name, values in times.items()}
            database.close()
    print(f"{'ms of processor time':28}" + "".join(f"{number:>12,} series" for number in found))
    for name in next(iter(found.values())):
        print(f"{name:28}" + "".join(f"{row[name]:>19.2f}" for row in found.values()))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
