"""Watch memory, threads and descriptors of a whole node under a steady stream of series.

    python -m tests.bench.bench_soak [--minutes 1] [--slices 12] [--side 256]

Series after series goes to `qagate serve` from dcmtk's storescu, and its documents to dcmtk's storescp. Each process of
the node is looked at every few seconds. A table compares the second quarter of the time with the last: what grows for
ever shows there. An hour is `--minutes 60`; a minute shows no more than that nothing is badly wrong.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from qagate.demo import phantom
from qagate.demo.write import write_series
from qagate.store.tables import SeriesRow
from tests.integration.node import ServedNode
from tests.peers import dcmtk

LOOK_SECONDS = 3.0


def processes(config: Path) -> dict[str, int]:
    """Return name → process id of the node's children: receive-1, work, web, ..."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if str(config) in words and "serve" not in words:
            found[words[words.index("qagate") + 1]] = int(entry.name)
    return found


def look(pid: int) -> dict[str, float]:
    """Return anonymous memory in MB, threads, and open descriptors of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return {
        "anonymous MB": int(status.split("RssAnon:")[1].split()[0]) / 1024,
        "threads": int(status.split("Threads:")[1].split()[0]),
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
    }


def main() -> None:
    """Watch and print a table, then the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--slices", type=int, default=12)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    scan = phantom.abdomen((options.slices, options.side, options.side), seed=1, dose=1.0)
    seen: dict[str, list[dict[str, float]]] = {}
    sent = 0
    with tempfile.TemporaryDirectory() as temporary, dcmtk.StoreScp(Path(temporary) / "pacs") as pacs:
        folder = Path(temporary)
        destination: dict[str, Any] = {
            "name": "pacs", "ae_title": pacs.ae_title, "host": "127.0.0.1", "port": pacs.port,
        }  # fmt: skip
        with ServedNode(folder / "node", destinations=[destination]) as node:
            end, next_look = time.monotonic() + 60 * options.minutes, time.monotonic()
            while time.monotonic() < end:
                paths = write_series(
                    scan.voxels, scan.spacing_mm, folder / "ct", modality="CT", description="Abd venous",
                    protocol="Abdomen venous", study="1", seed=f"soak {sent}", series=2,
                )  # fmt: skip
                dcmtk.storescu(paths, port=node.port)
                sent += 1
                if time.monotonic() >= next_look:
                    next_look += LOOK_SECONDS
                    for name, pid in processes(node.config).items():
                        seen.setdefault(name, []).append(look(pid))
                time.sleep(0.5)
            with node.database().read() as session:
                states = dict(session.execute(select(SeriesRow.state, func.count()).group_by(SeriesRow.state)).all())
    print(f"{sent} series of {options.slices} x {options.side} x {options.side} in {options.minutes:g} min; at the end "
          + ", ".join(f"{number} {state}" for state, number in sorted(states.items())))  # fmt: skip
    table = {}
    for name, looks in sorted(seen.items()):
        quarter = max(1, len(looks) // 4)
        table[name] = {
            what: [round(statistics.median(row[what] for row in part), 1)
                   for part in (looks[quarter : 2 * quarter] or looks, looks[-quarter:])]
            for what in looks[0]
        }  # fmt: skip
        words = "   ".join(f"{what} {first:g} → {last:g}" for what, (first, last) in table[name].items())
        print(f"  {name:12} {words}")
    print(json.dumps({"series": sent, "states": states, "processes": table}))


if __name__ == "__main__":
    main()
