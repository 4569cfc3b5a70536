"""Fuzzing of what reads series: mutated files through assembly and prompt, in a process with little memory.

`python -m tests.fuzz_series --inputs 10000 --seed 1` takes the real series of <repository>/../shared/data/dicom where
they are, else pydicom's test files, breaks one or several files of one, and reads it as a worker does. It fails when
the process dies, hangs, raises anything, needs more than 2 GB, or when a volume contradicts itself. An input is one
series with at least one mutated file; number and seed make the same one again.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "dicom" / "series"
MEMORY_BYTES = 2 << 30
MAX_FILE_BYTES = 600_000
MAX_FILES = 6
HANG_SECONDS = 300.0
"""A decoder process is given 120 s for a frame; a series that takes longer than this says nothing any more."""


@dataclass(frozen=True)
class Source:
    """Files of one series, real and whole."""

    name: str
    paths: tuple[Path, ...]


def sources(real: Path = REAL) -> list[Source]:
    """Return the series that are broken: each of pydicom's files, and the first small files of every real series."""
    import pydicom.data

    packaged = sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))
    found = [Source(path.name, (path,)) for path in packaged if path.stat().st_size < MAX_FILE_BYTES]
    for folder in sorted(real.iterdir()) if real.is_dir() else ():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        small = [path for path in files if path.stat().st_size < MAX_FILE_BYTES][:MAX_FILES]
        if small:
            found.append(Source(folder.name, tuple(small)))
    return found


def as_mr(path: Path) -> bytes:
    """Return a file's bytes; of an image, those of the same image as MR, so that its pixels are read too."""
    import pydicom

    dataset = pydicom.dcmread(path, force=True)
    if "PixelData" not in dataset or not getattr(dataset, "file_meta", None) or path.name.startswith("meta_missing"):
        return path.read_bytes()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    dataset.Modality = "MR"
    buffer = BytesIO()
    try:
        dataset.save_as(buffer, enforce_file_format=False)
    except (ValueError, TypeError, AttributeError, KeyError):
        return path.read_bytes()
    return buffer.getvalue()


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Return bytes with something changed: flipped, overwritten with telling values, cut, doubled or moved."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 5, 20, 200))):
        if not data:
            break
        # Headers matter more than pixels: half of the changes fall into the first 4 KiB.
        at = rng.randrange(min(len(data), 4096) if rng.random() < 0.5 else len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", b"\xfe\xff\x00\xe0")
            )
        elif kind == 2:
            data[at] = rng.randrange(256)
        elif kind == 3 and rng.random() < 0.2:
            del data[at:]
        elif kind == 4 and len(data) < 2 * MAX_FILE_BYTES:
            data[at:at] = data[at : at + rng.randrange(64)]
        elif kind == 5:
            data[at : at + 2] = rng.randbytes(2)
    return bytes(data)


def write_input(source: Source, rng: random.Random, folder: Path) -> list[Path]:
    """Write the files of one input into an empty folder: at least one of them mutated."""
    broken = set(rng.sample(range(len(source.paths)), rng.randint(1, len(source.paths))))
    written = []
    for index, path in enumerate(source.paths):
        # A file on its own is made an MR image; the files of a series are, as they are, what they belong to.
        raw = as_mr(path) if len(source.paths) == 1 else path.read_bytes()
        written.append(folder / f"{index}.dcm")
        written[-1].write_bytes(mutate(raw, rng) if index in broken else raw)
    return written


def read_inputs(seed: int, first: int, count: int) -> None:
    """Read `count` inputs in this process, and say before each which one it is. Raises what it finds."""
    from qagate.assemble.child import Decoders
    from qagate.assemble.series import Limits, read_series
    from qagate.prompt.explain import explain
    from qagate.prompt.infer import infer
    from qagate.prompt.rules import load_rules

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    # The soft limit alone: decoder processes set their own.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    found, rules = sources(), load_rules()
    limits = Limits(max_object_bytes=64 << 20, max_volume_bytes=256 << 20)
    with Decoders() as decoders:
        for number in range(first, first + count):
            rng = random.Random(f"{seed} {number}")
            source = rng.choice(found)
            print(number, source.name, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                series = read_series(write_input(source, rng, Path(folder)), limits, decoders)
                for volume in series.volumes:
                    assert volume.voxels.size == 0 or volume.voxels.shape == volume.geometry.shape, "shapes differ"
                    assert len(volume.slices) == volume.geometry.shape[0], "slices are missing"
                    assert explain(infer(volume.tags, rules)), "nothing is explained"
                explain(infer(series.tags, rules))
    print("done", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, "MB at most", flush=True)


def fuzz(inputs: int, seed: int, *, first: int = 0, hang_seconds: float = HANG_SECONDS) -> tuple[str, bool]:
    """Read inputs in a child process; return (the last it said, whether all went well)."""
    command = [sys.executable, "-m", "tests.fuzz_series", "--child", "--seed", str(seed)]
    command += ["--first", str(first), "--inputs", str(inputs)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=hang_seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace").splitlines()[-1:]
        return f"no end within {hang_seconds:g} s, at {said}", False
    said = child.stdout.splitlines()[-1:]
    if child.returncode == 0:
        return said[0], True
    return "\n".join([f"ended with {child.returncode} at {said}", *child.stderr.splitlines()[-15:]]), False


def main() -> int:
    """Run it from the command line, a hundred inputs a process; go on after a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after that time")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        read_inputs(arguments.seed, arguments.first, arguments.inputs)
        return 0
    begun, faults, number = time.monotonic(), 0, arguments.first
    while number < arguments.first + arguments.inputs and time.monotonic() - begun < arguments.seconds:
        count = min(100, arguments.first + arguments.inputs - number)
        said, well = fuzz(count, arguments.seed, first=number)
        faults += not well
        number += count
        print(f"{number - arguments.first} inputs: {said}", flush=True)
    print(f"{faults} faults, seed {arguments.seed}, {time.monotonic() - begun:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
