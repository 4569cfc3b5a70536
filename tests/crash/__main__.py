"""`python -m tests.crash`: everything that can go wrong, on SQLite and on PostgreSQL; prints one ledger over all of it.

A kill at every point; every scenario; kills at random under load. Returns 1 when anything was lost, double or stuck.
With --folder the reports of the parts are kept, and the same command again runs only what is missing or had a fault.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.crash import matrix
from tests.crash.killing import POINTS
from tests.crash.report import Report
from tests.crash.scenario import Theatre, known, play_all
from tests.peers.postgres import Postgres
from tests.peers.postgres import available as postgres_available

PARTS = ("points", "random", "scenarios")
SHARE = 25
"""About so many points, scenarios or kills at random are one part."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs in a process of its own. names: points, scenarios, or the seed of kills at random."""

    kind: str
    what: str
    names: tuple[str, ...]
    number: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.what}-{self.number}"


@contextmanager
def _database(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    with Postgres() as cluster:
        yield cluster.url


def main() -> int:
    """Run what was asked for."""
    scenarios = [one.name for one in known()]
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--kills", type=int, default=300, help="random kills in all, shared among the databases")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--points", nargs="+", choices=tuple(POINTS), default=list(POINTS), metavar="NAME")
    parser.add_argument("--scenarios", nargs="+", choices=scenarios, default=scenarios, metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1, help="so many parts beside one another")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep reports here")
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    parser.add_argument("--run", help=argparse.SUPPRESS)  # one part, here
    asked = parser.parse_args()
    if asked.list:
        _list()
        return 0
    parts = sorted(_parts(asked), key=lambda part: part.what != "scenarios")  # the longest first
    begun = time.monotonic()
    with TemporaryDirectory(prefix="crash-") as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if asked.run:
            (part,) = (part for part in parts if str(part) == asked.run)
            report = _run(part, Path(temporary))
            report.write(folder / f"{part}.json")
            return 0
        with ThreadPoolExecutor(asked.jobs) as pool:
            reports = list(pool.map(lambda part: _beside(part, folder), parts))
    whole = sum(reports, Report())
    sys.stdout.write(f"\n== all of it, {len(parts)} parts, {(time.monotonic() - begun) / 60:.0f} min: {whole}\n")
    return 1 if whole.ledger.faults else 0


def _parts(asked: argparse.Namespace) -> Iterator[Part]:
    names: list[str]
    kinds = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    if "postgresql" in kinds and not postgres_available():
        sys.stderr.write("PostgreSQL is not installed here; only SQLite is tried\n")
        kinds = ("sqlite",)
    chosen = [one for one in known() if one.name in asked.scenarios]
    for kind in kinds:
        if "scenarios" in asked.parts:
            here = [one for one in chosen if kind in one.databases]
            number, names = 1, []
            for one, after in zip_longest(here, here[1:]):
                names.append(one.name)
                stage_ends = after is None or after.setup.name != one.setup.name
                if after is None or (stage_ends and len(names) >= SHARE):
                    yield Part(kind, "scenarios", tuple(names), number)
                    number, names = number + 1, []
        if "points" in asked.parts:
            for start in range(0, len(asked.points), SHARE):
                yield Part(kind, "points", tuple(asked.points[start : start + SHARE]), start // SHARE + 1)
        if "random" in asked.parts:
            kills = asked.kills // len(kinds)
            for start in range(0, kills, SHARE):
                number = start // SHARE + 1
                yield Part(kind, "random", (str(asked.seed + number), str(min(SHARE, kills - start))), number)


def _beside(part: Part, folder: Path) -> Report:
    """Run a part in a process of its own, unless its report is there and without a fault."""
    file = folder / f"{part}.json"
    if file.exists() and not Report.read(file).ledger.faults:
        return Report.read(file)
    file.unlink(missing_ok=True)
    log = file.with_suffix(".log")
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "tests.crash", *sys.argv[1:], "--folder", str(folder), "--run", str(part)],
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    sys.stdout.write(f"== {part}\n{log.read_text()}")
    sys.stdout.flush()
    if file.exists():
        return Report.read(file)
    report = Report()
    report.ledger.stuck.append(f"{part} ended with code {done.returncode}")
    return report


def _run(part: Part, folder: Path) -> Report:
    report = Report()
    if part.what == "scenarios":
        theatre = Theatre(folder, part.kind)
        for one in play_all(part.kind, [one for one in known() if one.name in part.names], theatre):
            report.played.append((one.name, part.kind))
            theatre.ledger.stuck += [f"{part.kind} {one.name}: {fault}" for fault in one.unaccounted]
        report.ledger, report.deaths = theatre.ledger, theatre.deaths
    else:
        with _database(part.kind) as url:
            if part.what == "points":
                report.ledger, report.deaths = matrix.every_point(folder, part.names, url)
            else:
                seed, kills = map(int, part.names)
                report.ledger, report.deaths = matrix.at_random(folder, kills, url, seed=seed)
    sys.stdout.write(f"{report}\n")
    return report


def _list() -> None:
    for point in POINTS.values():
        sys.stdout.write(f"kill {point.when:7} {point.process:8} {point.name:16} {point.sentence}\n")
    for one in known():
        sys.stdout.write(f"{'+'.join(one.databases):18} {one.name:32} {one.sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
