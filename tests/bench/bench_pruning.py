"""How long deleting old rows keeps others from writing: python -m tests.bench.bench_pruning [ROWS]. SQLite."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, text

from qagate.clock import SystemClock
from qagate.settings import Settings
from qagate.store import pruning as store
from qagate.store.database import Database
from qagate.store.tables import EventRow, ForwardRow, InstanceRow, SeriesRow
from qagate.work.pruning import Pruning


def fill(database: Database, rows: int) -> None:
    """Add as many events, and as many forwarded images that left the spool, all of them two years old."""
    at = SystemClock().now() - timedelta(days=730)
    series = rows // 300
    with database.begin() as session:
        session.execute(
            insert(SeriesRow),
            [{"series_instance_uid": f"1.{n}", "study_instance_uid": "1", "state": "delivered", "first_instance_at": at,
              "last_instance_at": at} for n in range(series)],
        )  # fmt: skip
    for start in range(1, rows + 1, 30_000):
        numbers = range(start, min(start + 30_000, rows + 1))
        with database.begin() as session:
            session.execute(
                insert(EventRow),
                [{"at": at, "what": "parked", "series_instance_uid": f"1.{n % 1000}", "detail": "SR to PACS: status"}
                 for n in numbers],
            )  # fmt: skip
            session.execute(
                insert(InstanceRow),
                [{"id": n, "series_instance_uid": f"1.{n % series}", "sop_instance_uid": f"1.2.{n}",
                  "sop_class_uid": "1", "transfer_syntax_uid": "1", "path": f"/spool/{n}", "size_bytes": 1,
                  "sha256": f"{n:064d}", "received_at": at, "deleted_at": at} for n in numbers],
            )  # fmt: skip
            session.execute(
                insert(ForwardRow),
                [{"instance_id": n, "series_instance_uid": f"1.{n % 1000}", "destination": "PACS", "state": "committed",
                  "next_attempt_at": at} for n in numbers],
            )  # fmt: skip


def main(rows: int) -> None:
    """Print how long the longest batch held the lock, and how long another writer ever waited."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate({"storage": {"data_dir": Path(folder)}})
        database = Database.open(settings.database_url)
        fill(database, rows)
        held: list[float] = []
        waited: list[float] = []
        removing, over = store.remove, threading.Event()

        def timed(*arguments: object) -> int:
            began = time.monotonic()
            number = removing(*arguments)  # type: ignore[arg-type]
            held.append(time.monotonic() - began)
            return number

        def write() -> None:
            while not over.wait(0.01):
                began = time.monotonic()
                with database.begin() as session:
                    session.execute(text("UPDATE series SET instances = 1 WHERE series_instance_uid = '1.1'"))
                waited.append(time.monotonic() - began)

        store.remove = timed
        writer = threading.Thread(target=write)
        writer.start()
        pruning, began, removed = Pruning(settings, database, SystemClock()), time.monotonic(), 0
        while number := pruning.sweep():
            removed += number
        over.set()
        writer.join()
        database.close()
        seconds = time.monotonic() - began
    waited.sort()
    print(f"{rows} events and {rows} forwards: {removed} rows deleted in {seconds:.1f} s, {len(held)} batches")
    print(f"deleting in a batch: {max(held) * 1000:.0f} ms at most, {sum(held) / len(held) * 1000:.0f} ms mean")
    print(
        f"another writer, {len(waited)} times: {waited[-1] * 1000:.0f} ms at most,"
        f" {waited[len(waited) // 2] * 1000:.0f} ms median"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
