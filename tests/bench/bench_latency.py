"""Measure how long after its last image a series has its verdict, and its report in the PACS.

    python -m tests.bench.bench_latency [--slices 120] [--rounds 3] [--syntax raw] [--quiet 0.5 6] [--pacs orthanc]

A whole node (`qagate serve`) takes a CT from dcmtk's storescu, judges it, and sends its documents to a real Orthanc.
The times are the node's own records; the quiet time that a series is waited for is a setting, so the figure that counts
is complete → SR stored. After a short quiet time the series is judged when it is complete; during a longer one it is
judged ahead. The first series of a node is not counted: it warms the model.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pydicom
from sqlalchemy import select

from qagate.demo import phantom
from qagate.demo.write import uid, write_series
from qagate.store.tables import DeliveryRow, DocumentRow, InstanceRow, RevisionRow
from tests.bench.bench_stack import SYNTAXES
from tests.integration.node import ServedNode
from tests.peers import dcmtk
from tests.peers.orthanc import Orthanc

STEPS = ("last image → complete", "complete → verdict", "verdict → SR stored", "complete → SR stored")


@contextmanager
def pacs(kind: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Run an archive; yields its AE title and port."""
    if kind == "orthanc":
        with Orthanc(folder) as orthanc:
            yield orthanc.ae_title, orthanc.port
    else:
        with dcmtk.StoreScp(folder) as storescp:
            yield storescp.ae_title, storescp.port


def times(node: ServedNode, series_instance_uid: str) -> list[float]:
    """Return the seconds of each of STEPS."""
    with node.database().read() as session:
        revision = session.scalars(
            select(RevisionRow).where(RevisionRow.series_instance_uid == series_instance_uid)
        ).one()
        sent = session.scalars(
            select(DeliveryRow.sent_at)
            .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
            .where(DocumentRow.revision_id == revision.id, DocumentRow.kind == "SR")
        ).one()
        last = session.scalars(
            select(InstanceRow.received_at)
            .where(InstanceRow.series_instance_uid == series_instance_uid)
            .order_by(InstanceRow.received_at.desc())
        ).first()
    points: list[datetime] = [last, revision.created_at, revision.assessed_at, sent]  # type: ignore[list-item]
    found = [(b - a).total_seconds() for a, b in pairwise(points)]
    return [*found, sum(found[1:])]


def main() -> None:
    """Measure and print a table, then the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--quiet", type=float, nargs="+", default=[0.5, 6.0], help="quiet times in seconds")
    parser.add_argument("--syntax", choices=SYNTAXES, default="raw")
    parser.add_argument("--pacs", choices=["orthanc", "storescp"], default="orthanc")
    options = parser.parse_args()
    scan = phantom.abdomen((options.slices, 512, 512), seed=1, dose=0)
    voxels = phantom.add_noise(scan.voxels, scan.spacing_mm, dose=1.0, seed=2)
    results = {}
    with tempfile.TemporaryDirectory() as temporary, pacs(options.pacs, Path(temporary) / "pacs") as (title, port):
        destination: dict[str, Any] = {"name": "pacs", "ae_title": title, "host": "127.0.0.1", "port": port}
        for quiet in options.quiet:
            folder = Path(temporary) / f"quiet-{quiet}"
            sections = {
                "model": {"threads": options.threads},
                "completion": {"quiet_seconds": quiet, "open_quiet_seconds": 30},
            }
            with ServedNode(folder, destinations=[destination], sections=sections) as node:
                found = []
                for number in range(options.rounds + 1):
                    seed = f"{quiet} s, round {number}"
                    paths = write_series(
                        voxels, scan.spacing_mm, folder / f"ct{number}", modality="CT", description="Abd venous",
                        protocol="Abdomen venous", study="1", seed=seed, series=2,
                    )  # fmt: skip
                    found.append(one(node, paths, uid("series", seed, "1", 2), options.syntax))
            print(f"CT of {options.slices} x 512 x 512, {options.syntax}; {options.pacs} as PACS; "
                  f"quiet time {quiet} s; {options.rounds} rounds")  # fmt: skip
            for index, step in enumerate(STEPS):
                values = [row[index] for row in found[1:]]
                print(f"  {step:24} {statistics.median(values):7.2f} s   ({min(values):.2f} .. {max(values):.2f})")
            results[str(quiet)] = {step: [round(row[i], 3) for row in found] for i, step in enumerate(STEPS)}
    print(json.dumps(results))


def one(node: ServedNode, paths: list[Path], series_instance_uid: str, syntax: str) -> list[float]:
    """Send one series and wait for its report; return the times."""
    propose = ["+r"] if syntax == "raw" else compress(paths, syntax)
    sent = dcmtk.storescu(paths, port=node.port, options=["-pdu", "131072", *propose])
    if sent.returncode:
        raise RuntimeError(f"storescu must end with 0, got {sent.returncode}: {sent.output[-500:]}")
    node.wait(lambda: _stored(node, series_instance_uid), 300, "the SR to be stored")
    return times(node, series_instance_uid)


def compress(paths: list[Path], syntax: str) -> list[str]:
    """Compress files where they are; return the options that let storescu propose their transfer syntax."""
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.compress(pydicom.uid.UID(SYNTAXES[syntax]))
        dataset.save_as(path)
    return {"rle": ["-xr"], "jpegls": ["-xt"], "j2k": ["-xv"]}[syntax]


def _stored(node: ServedNode, series_instance_uid: str) -> bool:
    with node.database().read() as session:
        rows = session.execute(
            select(DeliveryRow.sent_at)
            .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
            .join(RevisionRow, RevisionRow.id == DocumentRow.revision_id)
            .where(RevisionRow.series_instance_uid == series_instance_uid)
        ).all()
    return bool(rows) and all(at is not None for (at,) in rows)


if __name__ == "__main__":
    main()
