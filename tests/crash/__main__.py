"""`python -m tests.crash`: everything that can go wrong, on SQLite and on PostgreSQL; prints one ledger over all of it.

A kill at every point; every scenario; kills at random under load. Returns 1 when anything was lost, double or stuck.
"""

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
from tests.crash.ledger import Ledger, say
from tests.crash.scenario import Theatre, known, play_all
from tests.peers.postgres import Postgres
from tests.peers.postgres import available as postgres_available

PARTS = ("points", "scenarios", "random")


@contextmanager
def _database(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    with Postgres() as cluster:
        yield cluster.url


def main() -> int:
    """Run what was asked for."""
    names = [one.name for one in known()]
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--kills", type=int, default=300, help="random kills in all, shared among the databases")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--points", nargs="+", choices=tuple(POINTS), default=list(POINTS), help="kill only here")
    parser.add_argument("--scenarios", nargs="+", choices=names, metavar="NAME", default=names, help="play only these")
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=7200, help="stop killing at random after so long")
    parser.add_argument("--folder", type=Path, help="keep everything here")
    asked = parser.parse_args()
    if asked.list:
        _list()
        return 0
    kinds = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    if "postgresql" in kinds and not postgres_available():
        sys.stderr.write("PostgreSQL is not installed here; only SQLite is tried\n")
        kinds = ("sqlite",)
    whole, deaths, begun = Ledger(), 0, time.monotonic()
    played: dict[str, int] = {}
    with TemporaryDirectory(prefix="crash-") as temporary:
        for kind in kinds:
            for part in asked.parts:
                folder = (asked.folder or Path(temporary)) / f"{kind}-{part}"
                folder.mkdir(parents=True, exist_ok=True)
                sys.stdout.write(f"== {kind}, {part}\n")
                sys.stdout.flush()
                ledger, died = _part(part, kind, folder, asked, len(kinds), played)
                whole += ledger
                deaths += died
    minutes = (time.monotonic() - begun) / 60
    plays = sum(played.values())
    say(whole, f"\n== all of it, {minutes:.0f} min: {deaths} deaths; {len(played)} scenarios, {plays} plays")
    return 1 if whole.faults else 0


def _part(
    part: str, kind: str, folder: Path, asked: argparse.Namespace, kinds: int, played: dict[str, int]
) -> tuple[Ledger, int]:
    if part == "scenarios":
        theatre = Theatre(folder, kind)
        for one in play_all(kind, [one for one in known() if one.name in asked.scenarios], theatre):
            played[one.name] = played.get(one.name, 0) + 1
            theatre.ledger.stuck += [f"{kind} {one.name}: {fault}" for fault in one.unaccounted]
        return theatre.ledger, theatre.deaths
    with _database(kind) as url:
        if part == "points":
            ledger, died = matrix.every_point(folder, asked.points, url)
        else:
            ledger, died = matrix.at_random(folder, asked.kills // kinds, url, seed=asked.seed, seconds=asked.seconds)
    say(ledger, f"{died} deaths")
    return ledger, died


def _list() -> None:
    for point in POINTS.values():
        sys.stdout.write(f"kill {point.when:7} {point.process:8} {point.name:16} {point.sentence}\n")
    for one in known():
        sys.stdout.write(f"{'+'.join(one.databases):18} {one.name:32} {one.sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
