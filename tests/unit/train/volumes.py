"""A folder of small made-up volumes with an index, as `pack` wants it."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

COLUMNS = "id,modality,organ,sequence,vendor,shape,note,subject"


def nifti(
    path: Path,
    voxels: npt.NDArray[np.generic],
    spacing: tuple[float, float, float] = (2.0, 0.8, 0.8),
    slope: float = 0.0,
) -> None:
    """Write (slices, rows, columns) as NIfTI-1 with an sform, little endian; gzip when the name says so."""
    codes = {"int16": (4, 16), "float32": (16, 32), "uint8": (2, 8)}
    code, bits = codes[voxels.dtype.name]
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    slices, rows, columns = voxels.shape
    struct.pack_into("<8h", head, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, code, bits)
    struct.pack_into("<8f", head, 76, 1.0, spacing[2], spacing[1], spacing[0], 0, 0, 0, 0)
    struct.pack_into("<3f", head, 108, 352.0, slope, 0.0)
    struct.pack_into("<2h", head, 252, 0, 1)
    rows_of = [(-spacing[2], 0, 0, 5.0), (0, spacing[1], 0, 6.0), (0, 0, spacing[0], 7.0)]
    struct.pack_into("<12f", head, 280, *(v for row in rows_of for v in row))
    head[344:348] = b"n+1\0"
    data = bytes(head) + voxels.tobytes()
    path.write_bytes(gzip.compress(data, 1) if path.name.endswith(".gz") else data)


def body(seed: int, modality: str, slices: int = 6, side: int = 120) -> npt.NDArray[np.int16]:
    """Return a made-up body with organs of a kind: HU for CT, 0-900 for MR."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side - 0.5
    picture = np.zeros((slices, side, side))
    for number in range(slices):
        inside = np.hypot(x, y * 1.2) < 0.42
        organs = np.zeros((side, side))
        for _ in range(7):
            cy, cx, r = *draws.uniform(-0.25, 0.25, 2), draws.uniform(0.03, 0.14)
            organs += draws.uniform(-60, 90) * (np.hypot(x - cx, y - cy) < r)
        value = 40 + organs if modality == "CT" else 400 + 4 * organs
        picture[number] = np.where(inside, value, -1000 if modality == "CT" else 0)
    picture += draws.normal(0, 6.0, picture.shape) * (picture != 0)
    return picture.astype(np.int16)


def folder(path: Path, subjects: int = 10) -> Path:
    """Write a CT and an MR volume for each subject, and index.csv."""
    path.mkdir(parents=True, exist_ok=True)
    lines = [COLUMNS]
    for number in range(subjects):
        modality = ("CT", "MR")[number % 2]
        voxels = body(number, modality, slices=1 if number == 4 else 6)
        nifti(path / f"v{number}.nii.gz", voxels)
        organ, vendor = ("chest", "Maker A") if modality == "CT" else ("brain", "Maker B")
        if number == subjects - 1:
            organ = "knee"
        lines.append(f"v{number},{modality},{organ},T1 MPRAGE,{vendor},120x120x{len(voxels)},,s{number}")
    (path / "index.csv").write_text("\n".join(lines) + "\n")
    return path
