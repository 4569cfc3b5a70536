"""How many objects per second the receiver takes, beside dcmtk's storescp in the same run.

    python -m tests.bench.bench_ingest [--objects 200] [--rounds 3] [--senders 1 4] [--receivers 1] [--folder DIR]

Objects are CT slices of 512 x 512 x 16 bit (0.5 MB). The senders are dcmtk's storescu with TCP_NODELAY=1, each with its
share of the objects. qagate answers after fsync, rename and fsync of the folder; storescp does not synchronise at all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom.data
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from tests.peers import dcmtk

_RECEIVER = """
import logging, signal, sys, threading
from pathlib import Path
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.settings import Node
logging.disable(logging.WARNING)
node = Node(host="127.0.0.1", port=int(sys.argv[1]), accept_unknown_peers=True, receivers=int(sys.argv[3]))
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
with Receiver(node, Spool(Path(sys.argv[2]), 0), lambda instance: None, lambda event: None):
    print("ready", flush=True)
    stop.wait()
"""


def make_objects(folder: Path, count: int) -> list[Path]:
    """Write that many CT slices with noise for pixels; return their paths."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    template = dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    template.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    template.Rows = template.Columns = 512
    template.SeriesInstanceUID = "2.25.1"
    paths = []
    for index in range(count):
        uid = f"2.25.2{index:06d}"
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = uid
        template.PixelData = rng.integers(-1024, 2048, (512, 512), dtype=np.int16).tobytes()
        paths.append(folder / f"{index:06d}.dcm")
        template.save_as(paths[-1])
    return paths


@contextmanager
def qagate(folder: Path, receivers: int) -> Iterator[int]:
    """Run receivers in processes of their own; yields the port."""
    port = dcmtk.free_port()
    command = [sys.executable, "-c", _RECEIVER, str(port), str(folder), str(receivers)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(receivers)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        yield port
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def storescp(folder: Path, receivers: int) -> Iterator[int]:
    """Run dcmtk's receiver, one process for each association."""
    with dcmtk.StoreScp(folder, ae_title="QAGATE", options=["--fork", "-pdu", "131072"]) as peer:
        yield peer.port


def send(paths: list[Path], port: int, senders: int) -> float:
    """Send all objects, split among the senders; return the seconds it took."""
    environment = {**os.environ, "TCP_NODELAY": "1"}
    command = ["storescu", "-aec", "QAGATE", "-pdu", "131072", "-R", "127.0.0.1", str(port)]
    begun = time.monotonic()
    processes = [
        subprocess.Popen([*command, *map(str, paths[start::senders])], env=environment) for start in range(senders)
    ]
    codes = [process.wait(600) for process in processes]
    seconds = time.monotonic() - begun
    if any(codes):
        raise RuntimeError(f"every sender must end with 0, got {codes}")
    return seconds


def main() -> None:
    """Measure and print a table, then the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--senders", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--receivers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="disk to write to; the temporary folder when absent")
    parser.add_argument("--only", choices=["qagate", "storescp"])
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        paths = make_objects(Path(temporary) / "objects", options.objects)
        size_mb = sum(path.stat().st_size for path in paths) / 1e6
        # rounds alternate, so that what else the machine does meets both
        seconds: dict[tuple[str, int], list[float]] = {}
        for _ in range(options.rounds):
            for name, server in (("storescp", storescp), ("qagate", qagate)):
                for senders in options.senders:
                    if options.only in (None, name):
                        spool = Path(temporary) / "received"
                        with server(spool, options.receivers) as port:
                            seconds.setdefault((name, senders), []).append(send(paths, port, senders))
                        stored = sum(1 for path in spool.rglob("*") if path.is_file())
                        assert stored == len(paths), f"{name} must hold {len(paths)} objects, got {stored}"
                        shutil.rmtree(spool)
        for (name, senders), times in sorted(seconds.items()):
            median = statistics.median(times)
            results.append(
                {
                    "receiver": name,
                    "senders": senders,
                    "objects_per_second": round(len(paths) / median, 1),
                    "mb_per_second": round(size_mb / median, 1),
                    "seconds": [round(value, 3) for value in times],
                }
            )
    for row in results:
        rate = f"{row['objects_per_second']:8} img/s {row['mb_per_second']:8} MB/s"
        print(f"{row['receiver']:9} {row['senders']} senders {rate}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
