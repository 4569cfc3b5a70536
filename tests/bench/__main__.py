"""Run every bench, or those that are named, and print their tables and how long each took.

    python -m tests.bench [--long] [NAME ...]

By default sizes are small enough for a quarter of an hour on two cores; `--long` takes each bench's own. A bench that
fails, or takes longer than --limit minutes, does not stop the others; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent

SHORT = {
    "growth": "--series 10 1000 20000",
    "ingest": "--share 0.5 --rounds 1",
    "latency": "--rounds 2",
    "pruning": "30000",
    "scoring": "--rounds 2",
    "stack": "--repeats 2",
    "viewer": "--repeats 1",
    "workers": "--repeats 1",
    "worklist": "--series 100000 --repeats 3",
}
"""Arguments of benches whose own sizes take minutes."""


def names() -> list[str]:
    """Return the names of all benches, without "bench_"."""
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def run(name: str, arguments: list[str], limit_seconds: float) -> str:
    """Run one bench with its output on ours; returns what went wrong, "" when nothing did."""
    command = [sys.executable, "-m", f"tests.bench.bench_{name}", *arguments]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            code = process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its nodes and servers too
            return f"took longer than {limit_seconds:.0f} s"
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return f"ended with {code}" if code else ""


def main() -> int:
    """Run them; returns 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--long", action="store_true", help="each bench's own sizes")
    parser.add_argument("--limit", type=float, default=0.0, help="minutes for one bench; 5, or 60 with --long")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in names()]:
        parser.error(f"benches are {', '.join(names())}, got {', '.join(unknown)}")
    limit = 60 * (asked.limit or (60.0 if asked.long else 5.0))
    took, faults = {}, []
    for name in asked.names or names():
        arguments = [] if asked.long else SHORT.get(name, "").split()
        print(f"\n== {name} {' '.join(arguments)}", flush=True)
        begun = time.monotonic()
        if fault := run(name, arguments, limit):
            faults.append(f"{name} {fault}")
        took[name] = time.monotonic() - begun
    each = ", ".join(f"{name} {seconds:.0f}" for name, seconds in took.items())
    print(f"\n{sum(took.values()) / 60:.1f} minutes; seconds: {each}", *faults, sep="\n", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
