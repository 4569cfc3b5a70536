"""Workers die, and the others continue what they had begun: nothing is lost, nothing comes twice.

The full run is `python -m tests.crash.test_workers --rounds 20`; here is one round.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from tests.crash.ledger import Ledger, say
from tests.crash.workers import RESCUED_WITHIN_SECONDS, Rescue, kill_workers
from tests.peers import postgres


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.skipif(not postgres.available(), reason="needs PostgreSQL")
def test_what_a_dead_worker_had_begun_is_continued(tmp_path: Path) -> None:
    with postgres.Postgres() as server:
        ledger, rescues = kill_workers(tmp_path, server.url, kills=1)
    assert ledger.faults == [], str(ledger)
    assert [rescue.begun > 0 for rescue in rescues] == [True]


def one_round(number: int, kills: int) -> tuple[Ledger, list[Rescue]]:
    """Run one round over a PostgreSQL of its own. number: its seed too."""
    with tempfile.TemporaryDirectory() as folder, postgres.Postgres() as server:
        return kill_workers(Path(folder), server.url, kills=kills, seed=number)


def main() -> int:
    """Run many rounds; returns 1 when one of them has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="number of the first round, which is its seed too")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument(
        "--jobs", type=int, default=2, help="rounds at one time: most of a round waits for a dead worker to be missed"
    )
    asked = parser.parse_args()
    faults, waits, ends = 0, [], []
    numbers = range(asked.first, asked.first + asked.rounds)

    with ProcessPoolExecutor(asked.jobs, multiprocessing.get_context("spawn")) as pool:
        done = pool.map(one_round, numbers, repeat(asked.kills))
        for number, (ledger, rescues) in zip(numbers, done, strict=True):
            say(ledger, f"round {number} of {numbers[-1]}")
            waits += [rescue.rescued_seconds for rescue in rescues]
            ends += [rescue.seconds for rescue in rescues]
            faults += len(ledger.faults)
            sys.stdout.flush()
    late = sum(seconds > RESCUED_WITHIN_SECONDS for seconds in waits)
    sys.stdout.write(
        f"{asked.rounds} rounds, {len(waits)} deaths, {faults} faults; put back after a median of "
        f"{statistics.median(waits):.1f} s, at most {max(waits):.1f} s, {late} later than "
        f"{RESCUED_WITHIN_SECONDS:.0f} s; done after a median of {statistics.median(ends):.1f} s, at most "
        f"{max(ends):.1f} s\n"
    )
    return 1 if faults or late else 0


if __name__ == "__main__":
    sys.exit(main())
