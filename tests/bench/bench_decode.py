"""Measure whether decoding uses two cores: the same series on one core and on two, in turns.

    python tests/bench/bench_decode.py [--slices 40] [--repeats 3] [--syntax jpegls,j2k,jpegll,rle]

For each syntax: the best time on one core and on two, their ratio, the processor time of all processes, and how many
processes or threads were ready to run on average. On a machine that others use too, times say little; the number that
is ready to run counts those that wait for a core as well, so it shows what the work could use: 2 is both cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

SYNTAXES = {"rle": "1.2.840.10008.1.2.5", "jpegls": "1.2.840.10008.1.2.4.80", "j2k": "1.2.840.10008.1.2.4.90"}


def main() -> None:
    """Print one line for each syntax."""
    from qagate.assemble.child import Decoders

    parser = argparse.ArgumentParser(description="one core or two")
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--syntax", default="jpegls,j2k,jpegll,rle")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    print(f"{'syntax':8} {'1 core s':>9} {'2 cores s':>10} {'ratio':>6} {'CPU s':>7} {'ready on 1':>11} {'on 2':>6}")
    for syntax in options.syntax.split(","):
        with tempfile.TemporaryDirectory() as folder:
            files = write(Path(folder), options.slices, syntax)
            seconds: dict[int, list[float]] = {1: [], 2: []}
            ready: dict[int, list[float]] = {1: [], 2: []}
            spent = 0.0
            for _ in range(options.repeats):
                for count in (1, 2):
                    os.sched_setaffinity(0, cores[:count])  # the decoders inherit it
                    with Decoders() as decoders:
                        once(files[:2], decoders)  # start the processes
                        before = processor_time()
                        taken, waiting = once(files, decoders)
                        spent = processor_time() - before
                    seconds[count].append(taken)
                    ready[count].append(waiting)
            os.sched_setaffinity(0, cores)
            one, two = min(seconds[1]), min(seconds[2])
            print(
                f"{syntax:8} {one:9.2f} {two:10.2f} {one / two:6.2f} {spent:7.2f}"
                f" {np.median(ready[1]):11.2f} {np.median(ready[2]):6.2f}",
                flush=True,
            )


def once(files: list[Path], decoders: object) -> tuple[float, float]:
    """Read the series once; return seconds, and how many of our threads and decoders were ready to run on average."""
    from qagate.assemble.series import read_series

    counts: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            counts.append(running())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    (volume,) = read_series(files, decoders=decoders).volumes  # type: ignore[arg-type]
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    assert volume.valid is not None
    assert volume.valid.all()
    return seconds, float(np.mean(counts)) if counts else 0.0


def running() -> int:
    """Return how many threads of this process (but the one that asks) and of its decoders are ready to run."""
    own = threading.get_native_id()
    found = 0
    for process in (os.getpid(), *pids()):
        for thread in Path(f"/proc/{process}/task").glob("*"):
            if int(thread.name) != own:
                found += state(thread) == "R"
    return found


def state(thread: Path) -> str:
    """Return the state of a thread, "R" when ready to run."""
    try:
        return (thread / "stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return ""


def pids() -> list[int]:
    """Return the process ids of this process's children."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(pid) for file in children for pid in file.read_text().split()]


def processor_time() -> float:
    """Return seconds of processor time of this process and its living children."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    total = usage.ru_utime + usage.ru_stime
    ticks = os.sysconf("SC_CLK_TCK")
    for pid in pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def write(folder: Path, slices: int, syntax: str) -> list[Path]:
    """Write a made series: smooth shapes with noise."""
    import pydicom

    from tests.unit.assemble.made import ct_slice

    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    files = []
    for index in range(slices):
        body = np.where(x**2 + y**2 < 0.6 + 0.001 * index, 1040.0, 24.0)
        stored = np.clip(body + rng.normal(0, 12, body.shape), 0, 4095).astype(np.uint16)
        dataset = ct_slice(stored, position=(0.0, 0.0, 1.25 * index), number=index + 1)
        path = folder / f"{index:05d}.dcm"
        if syntax in SYNTAXES:
            dataset.compress(pydicom.uid.UID(SYNTAXES[syntax]))
        dataset.save_as(path, enforce_file_format=True)
        if syntax == "jpegll":
            subprocess.run(["dcmcjpeg", "+e1", path, path], check=True)
        files.append(path)
    return files


if __name__ == "__main__":
    main()
