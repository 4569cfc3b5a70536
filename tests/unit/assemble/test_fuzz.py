"""Mutated files never crash, never take unbounded memory, and never raise anything but our own errors.

The mutations run in a child process with limited memory: a crash inside a decoder would otherwise end the tests.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import subprocess
import sys
import tempfile
import warnings
from io import BytesIO
from pathlib import Path

import pytest

MUTATIONS = 300
SEED = 20240117
MEMORY_BYTES = 2 << 30
MAX_FILE_BYTES = 600_000


def sources() -> list[Path]:
    """Return the test files that pydicom's package holds, in the order of their names."""
    import pydicom.data

    found = (Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")
    return sorted(path for path in found if path.stat().st_size < MAX_FILE_BYTES)


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


def run(seed: int, count: int) -> None:
    """Read `count` mutated files, and say before each which one it is."""
    from qagate.assemble.child import Decoders
    from qagate.assemble.headers import open_header
    from qagate.assemble.series import Limits, read_series
    from qagate.errors import QagateError

    warnings.simplefilter("ignore")
    import logging

    logging.disable(logging.CRITICAL)
    files = [(path.name, as_mr(path)) for path in sources()]
    limits = Limits(max_object_bytes=64 << 20, max_volume_bytes=256 << 20)
    with tempfile.TemporaryDirectory() as folder, Decoders() as decoders:
        for number in range(count):
            rng = random.Random(seed + number)
            name, raw = rng.choice(files)
            print(number, name, flush=True)
            path = Path(folder) / "mutated.dcm"
            path.write_bytes(mutate(raw, rng))
            found = read_series([path], limits, decoders)
            for volume in found.volumes:
                assert volume.voxels.size == 0 or volume.voxels.shape == volume.geometry.shape
                assert len(volume.slices) == volume.geometry.shape[0]
            with contextlib.suppress(QagateError):
                open_header(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak < MEMORY_BYTES, f"peak {peak}"
    print("done", peak >> 20, "MB")


def test_mutated_files() -> None:
    if not sources():
        pytest.skip("pydicom's test files are not here")
    command = [sys.executable, "-m", "tests.unit.assemble.test_fuzz", str(SEED), str(MUTATIONS)]
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    found = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=240)
    tail = "\n".join([*found.stdout.splitlines()[-3:], *found.stderr.splitlines()[-15:]])
    assert found.returncode == 0, f"ended with {found.returncode} after\n{tail}"


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]))
