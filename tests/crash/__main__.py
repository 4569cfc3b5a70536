"""`python -m tests.crash`: the whole matrix and random kills, on SQLite and on PostgreSQL; prints the ledgers."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.crash import matrix
from tests.crash.killing import POINTS
from tests.crash.ledger import say
from tests.peers.postgres import Postgres
from tests.peers.postgres import available as postgres_available


@contextmanager
def _database(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    with Postgres() as cluster:
        yield cluster.url


def main() -> int:
    """Run what was asked for; returns 1 when anything was lost, double or stuck."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="random kills in all, half of them on each database")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--points", nargs="*", choices=tuple(POINTS), default=list(POINTS), help="kill only here")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=7200, help="stop killing at random after so long")
    parser.add_argument("--folder", type=Path, help="keep everything here")
    asked = parser.parse_args()
    kinds = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    if "postgresql" in kinds and not postgres_available():
        sys.stderr.write("PostgreSQL is not installed here; only SQLite is tried\n")
        kinds = ("sqlite",)
    faults = deaths = 0
    with TemporaryDirectory(prefix="crash-") as temporary:
        top = asked.folder or Path(temporary)
        for kind in kinds:
            for name in ("points", "random"):
                if (name == "random" and not asked.kills) or (name == "points" and not asked.points):
                    continue
                folder = top / f"{kind}-{name}"
                folder.mkdir(parents=True, exist_ok=True)
                begun = time.monotonic()
                with _database(kind) as url:
                    if name == "points":
                        ledger, died = matrix.every_point(folder, asked.points, url)
                    else:
                        ledger, died = matrix.at_random(
                            folder, asked.kills // len(kinds), url, seed=asked.seed, seconds=asked.seconds
                        )
                say(ledger, f"\n== {kind}, {name}: {died} deaths in {time.monotonic() - begun:.0f} s")
                faults += len(ledger.faults)
                deaths += died
    sys.stdout.write(f"\n{deaths} deaths, {faults} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
