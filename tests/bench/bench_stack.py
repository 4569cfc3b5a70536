"""Measure how long and how much memory it takes to stack a series, against plain pydicom with a preallocated array.

    python tests/bench/bench_stack.py [--slices 300] [--rows 512] [--repeats 3] [--syntax raw,rle,jpegls,j2k]

Every figure comes from a process of its own; times are the median of the repeats, taken in turns, so that a busy
machine slows all of them alike. `--frames 8000` measures an Enhanced MR object with that many frames instead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

SYNTAXES = {
    "raw": "1.2.840.10008.1.2.1",
    "rle": "1.2.840.10008.1.2.5",
    "jpegls": "1.2.840.10008.1.2.4.80",
    "j2k": "1.2.840.10008.1.2.4.90",
}


def main() -> None:
    """Run the bench, or one measurement of it in a child process."""
    parser = argparse.ArgumentParser(description="time and memory of stacking a series")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--syntax", default="raw")
    parser.add_argument("--frames", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("HOW", "FOLDER"))
    options = parser.parse_args()
    if options.child:
        measure(options.child[0], Path(options.child[1]))
        return
    print(f"{'syntax':8} {'how':12} {'seconds':>8} {'peak MB':>8} {'time ×':>7} {'memory ×':>8}")
    for syntax in options.syntax.split(","):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), options, syntax)
            compare(Path(folder), syntax, options.repeats, ["qagate"] if options.frames else ["pydicom", "qagate"])


def compare(folder: Path, syntax: str, repeats: int, ways: list[str]) -> None:
    """Print one line for each way."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            command = [sys.executable, __file__, "--child", way, str(folder)]
            found[way].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    base = None
    for way in ways:
        seconds = statistics.median(one["seconds"] for one in found[way])
        peak = statistics.median(one["peak_mb"] for one in found[way])
        base = base or (seconds, peak)
        print(f"{syntax:8} {way:12} {seconds:8.2f} {peak:8.0f} {seconds / base[0]:7.2f} {peak / base[1]:8.2f}")


def measure(how: str, folder: Path) -> None:
    """Stack once and print seconds and peak memory as JSON."""
    warnings.simplefilter("ignore")
    files = sorted(folder.iterdir())
    stack = plain if how == "pydicom" else ours
    if len(files) > 1:
        stack(files[:1])  # imports and decoder tables are not what is measured
    start = time.perf_counter()
    checksum = stack(files)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "sum": checksum}))


def peak_mb() -> float:
    """Return the most memory of this program so far; getrusage would count that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def plain(files: list[Path]) -> int:
    """Stack as one does by hand: headers, order by position, then each slice into a preallocated array."""
    import pydicom

    places = []
    for file in files:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        places.append((float(header.ImagePositionPatient[2]), file, header.Rows, header.Columns))
    places.sort()
    voxels = np.empty((len(places), places[0][2], places[0][3]), np.int16)
    for index, (_, file, _, _) in enumerate(places):
        dataset = pydicom.dcmread(file)
        voxels[index] = dataset.pixel_array
        voxels[index] *= int(dataset.RescaleSlope)
        voxels[index] += int(dataset.RescaleIntercept)
    return int(voxels[::7, ::31, ::17].sum())


def ours(files: list[Path]) -> int:
    """Stack with qagate."""
    from qagate.assemble.series import read_series

    volumes = read_series(files).volumes
    return int(sum(int(volume.voxels[::7, ::31, ::17].sum()) for volume in volumes))


def write(folder: Path, options: argparse.Namespace, syntax: str) -> None:
    """Write a made series: smooth shapes with noise, so that compression has something to do."""
    import pydicom

    from tests.unit.assemble.made import ct_slice, enhanced_mr

    rng = np.random.default_rng(0)
    if options.frames:
        pixels = rng.integers(0, 1000, (options.frames, options.rows, options.rows)).astype(np.uint16)
        enhanced_mr(pixels).save_as(folder / "enhanced.dcm", enforce_file_format=True)
        return
    y, x = np.mgrid[-1 : 1 : options.rows * 1j, -1 : 1 : options.rows * 1j]
    for index in range(options.slices):
        body = np.where(x**2 + y**2 < 0.6 + 0.001 * index, 1040.0, 24.0)
        stored = np.clip(body + rng.normal(0, 12, body.shape), 0, 4095).astype(np.uint16)
        dataset = ct_slice(stored, position=(0.0, 0.0, 1.25 * index), number=options.slices - index)
        if syntax != "raw":
            dataset.compress(pydicom.uid.UID(SYNTAXES[syntax]))
        dataset.save_as(folder / f"{(index * 7919) % 100003:06d}.dcm", enforce_file_format=True)


if __name__ == "__main__":
    main()
