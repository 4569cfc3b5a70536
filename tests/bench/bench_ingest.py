"""How many objects per second the receiver takes, beside other receivers in the same run on the same objects.

    python -m tests.bench.bench_ingest [--kinds ct mr big] [--senders 1 4 16] [--receivers 2] [--rounds 2] [--huge]

The peers are dcmtk's storescp, Orthanc and pynetdicom's own storescp; the senders are dcmtk's storescu with
TCP_NODELAY=1, each with its share of the objects. qagate answers after fsync, rename and fsync of the folder, Orthanc
after fsync and its database; the other two do not synchronise at all, and `unsynced` is qagate without it. Rounds
alternate, so that what else the machine does meets all alike; figures are medians. With `--huge` an object of 1 GB is
sent too, and the receiver's memory shown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
from pydicom import dcmread
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

from tests.peers import dcmtk
from tests.peers.orthanc import Orthanc

_RECEIVER = """
import logging, os, signal, sys, threading
from pathlib import Path
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.settings import Node
logging.disable(logging.WARNING)
if sys.argv[4:] == ["unsynced"]:
    os.fsync = lambda descriptor: None
node = Node(host="127.0.0.1", port=int(sys.argv[1]), accept_unknown_peers=True, receivers=int(sys.argv[3]))
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
with Receiver(node, Spool(Path(sys.argv[2]), 0), lambda instance: None, lambda event: None):
    print("ready", flush=True)
    stop.wait()
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object: how many are sent, their SOP class, and their frames and sides in pixels of 16 bit."""

    words: str
    count: int
    file: str
    sop_class_uid: str
    shape: tuple[int, int, int]


KINDS = {
    "ct": Kind("CT 512 x 512, 0.5 MB", 200, "CT_small.dcm", CTImageStorage, (1, 512, 512)),
    "mr": Kind("MR 192 x 192, 75 kB", 400, "MR_small.dcm", MRImageStorage, (1, 192, 192)),
    "big": Kind("Enhanced MR 200 x 512 x 512, 100 MB", 4, "MR_small.dcm", EnhancedMRImageStorage, (200, 512, 512)),
}
HUGE = Kind("Enhanced MR 2000 x 512 x 512, 1 GB", 1, "MR_small.dcm", EnhancedMRImageStorage, (2000, 512, 512))


def make_objects(folder: Path, count: int, kind: Kind = KINDS["ct"]) -> list[Path]:
    """Write that many objects with noise for pixels; return their paths."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    template = dcmread(pydicom.data.get_testdata_file(kind.file))
    template.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    template.SOPClassUID = template.file_meta.MediaStorageSOPClassUID = kind.sop_class_uid
    frames, template.Rows, template.Columns = kind.shape
    if frames > 1:
        template.NumberOfFrames = frames
    template.SeriesInstanceUID = "2.25.1"
    paths = []
    for index in range(count):
        uid = f"2.25.2{index:06d}"
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = uid
        template.PixelData = rng.integers(-1024, 2048, kind.shape, dtype=np.int16).tobytes()
        paths.append(folder / f"{index:06d}.dcm")
        template.save_as(paths[-1])
    return paths


@contextmanager
def qagate(folder: Path, receivers: int, *more: str) -> Iterator[int]:
    """Run receivers in processes of their own; yields the port. `running` has their process ids meanwhile."""
    port = dcmtk.free_port()
    command = [sys.executable, "-c", _RECEIVER, str(port), str(folder), str(receivers), *more]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(receivers)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        running[:] = [process.pid for process in processes]
        yield port
    finally:
        running.clear()
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
            if process.stdout is not None:
                process.stdout.close()


running: list[int] = []


@contextmanager
def unsynced(folder: Path, receivers: int) -> Iterator[int]:
    """Run our receivers without synchronising anything: how much of the time is the disk's. Never in earnest."""
    with qagate(folder, receivers, "unsynced") as port:
        yield port


def disk(folder: Path, size: int = 525_000, times: int = 40) -> tuple[float, float]:
    """Return how many milliseconds it takes to synchronise a new file of this size, and its folder (medians)."""
    folder.mkdir()
    found: list[tuple[float, float]] = []
    handle = os.open(folder, os.O_RDONLY)
    for number in range(times):
        with (folder / str(number)).open("wb") as file:
            file.write(b"x" * size)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
        os.link(folder / str(number), folder / f"{number}.named")
        middle = time.perf_counter()
        os.fsync(handle)
        found.append((middle - begun, time.perf_counter() - middle))
    os.close(handle)
    shutil.rmtree(folder)
    return 1000 * statistics.median(a for a, _ in found), 1000 * statistics.median(b for _, b in found)


@contextmanager
def storescp(folder: Path, receivers: int) -> Iterator[int]:
    """Run dcmtk's receiver, one process for each association."""
    with dcmtk.StoreScp(folder, ae_title="QAGATE", options=["--fork", "-pdu", "131072"]) as peer:
        yield peer.port


@contextmanager
def orthanc(folder: Path, receivers: int) -> Iterator[int]:
    """Run Orthanc with its defaults, but for the size of PDUs."""
    with Orthanc(folder, ae_title="QAGATE", overrides={"MaximumPduLength": 131072, "Plugins": []}) as peer:
        yield peer.port


@contextmanager
def pynetdicom(folder: Path, receivers: int) -> Iterator[int]:
    """Run pynetdicom's own storescp."""
    port = dcmtk.free_port()
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-aet", "QAGATE", "-pdu", "131072"]
    process = subprocess.Popen([*command, "-od", str(folder), "-q"], stderr=subprocess.DEVNULL)
    try:
        dcmtk.wait_for_port(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


PEERS: dict[str, Callable[[Path, int], AbstractContextManager[int]]] = {
    "storescp": storescp,
    "orthanc": orthanc,
    "pynetdicom": pynetdicom,
    "unsynced": unsynced,
    "qagate": qagate,
}


def send(paths: list[Path], port: int, senders: int) -> float | None:
    """Send all objects, split among the senders; return the seconds it took, None when a sender was refused."""
    environment = {**os.environ, "TCP_NODELAY": "1"}
    command = [dcmtk.tool("storescu"), "-aec", "QAGATE", "-pdu", "131072", "-R", "127.0.0.1", str(port)]
    shares = [paths[start::senders] for start in range(min(senders, len(paths)))]
    begun = time.monotonic()
    processes = [
        subprocess.Popen([*command, *map(str, share)], env=environment, stderr=subprocess.DEVNULL) for share in shares
    ]
    codes = [process.wait(600) for process in processes]
    return None if any(codes) else time.monotonic() - begun


def stored(name: str, folder: Path) -> int:
    """Return how many objects a receiver has on its disk."""
    if name == "orthanc":
        return sum(1 for path in (folder / "storage").rglob("*") if path.is_file() and len(path.name) == 36) // 2
    return sum(1 for path in folder.rglob("*") if path.is_file())


def measure(kind: Kind, options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Measure all receivers with one kind of object."""
    paths = make_objects(folder / "objects", max(1, round(kind.count * options.share)), kind)
    size_mb = sum(path.stat().st_size for path in paths) / 1e6
    seconds: dict[tuple[int, str], list[float]] = {}
    for _ in range(options.rounds):
        for senders in options.senders:
            for name in options.only or PEERS:
                received = folder / "received"
                with PEERS[name](received, options.receivers) as port:
                    took = send(paths, port, senders)
                if took is not None:
                    seconds.setdefault((senders, name), []).append(took)
                    if name == "qagate" and stored(name, received) != len(paths):
                        raise RuntimeError(f"qagate must hold {len(paths)} objects, got {stored(name, received)}")
                shutil.rmtree(received)
    rows = []
    print(f"{kind.words}: {len(paths)} objects")
    for senders in options.senders:
        ours = seconds.get((senders, "qagate"))
        for name in options.only or PEERS:
            times = seconds.get((senders, name))
            if times is None:
                print(f"  {senders:2} senders  {name:10}  refuses some of them")
                continue
            rate = len(paths) / statistics.median(times)
            ratio = statistics.median(times) / statistics.median(ours) if ours else float("nan")
            print(f"  {senders:2} senders  {name:10} {rate:8.1f} /s {rate * size_mb / len(paths):8.1f} MB/s"
                  f"   qagate is {ratio:5.2f} x as fast")  # fmt: skip
            rows.append({"kind": kind.words, "senders": senders, "receiver": name, "per_second": round(rate, 1),
                         "ratio": round(ratio, 2), "seconds": [round(value, 3) for value in times]})  # fmt: skip
    shutil.rmtree(folder / "objects")
    return rows


def measure_huge(folder: Path) -> dict[str, Any]:
    """Send one object of 1 GB; return the seconds and the receiver's greatest memory, mapped files left out."""
    paths = make_objects(folder / "objects", 1, HUGE)
    done, seen = threading.Event(), [0.0]

    def watch() -> None:
        while not done.wait(0.02):
            for pid in list(running):
                with contextlib.suppress(OSError, IndexError):
                    words = Path(f"/proc/{pid}/status").read_text().split("RssAnon:")[1]
                    seen.append(int(words.split()[0]) / 1024)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with qagate(folder / "received", 1) as port:
            took = send(paths, port, 1)
    finally:
        done.set()
        thread.join()
    left = [path.name for path in (folder / "received").rglob("*") if path.is_file() and path.suffix != ".dcm"]
    print(f"{HUGE.words}: {took or 0:.1f} s, receiver's greatest anonymous memory {max(seen):.0f} MB, left: {left}")
    return {"kind": HUGE.words, "seconds": took, "anonymous_mb": round(max(seen)), "left": left}


def main() -> None:
    """Measure and print tables, then the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--share", type=float, default=1.0, help="send this share of the usual number of objects")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--senders", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--receivers", type=int, default=min(4, os.cpu_count() or 1), help="processes of qagate")
    parser.add_argument("--folder", type=Path, help="disk to write to; the temporary folder when absent")
    parser.add_argument("--only", nargs="+", choices=PEERS)
    parser.add_argument("--huge", action="store_true")
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        to_file, to_folder = disk(Path(temporary) / "disk")
        print(f"this disk synchronises a new file of 0.5 MB in {to_file:.1f} ms, and its folder in {to_folder:.1f} ms")
        for name in options.kinds:
            results += measure(KINDS[name], options, Path(temporary) / name)
        if options.huge:
            results.append(measure_huge(Path(temporary) / "huge"))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
