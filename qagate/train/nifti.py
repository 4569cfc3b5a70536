"""NIfTI-1: just enough of it to read training volumes. Source: nifti1.h, NIfTI-1 data format, 2004."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.errors import InputError

HEADER_BYTES = 348
TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
"""datatype code → numpy type without byte order."""


@dataclass(frozen=True, slots=True, eq=False)
class Nifti:
    """One volume. voxels: (slices, rows, columns), that is NIfTI (k, j, i). affine: 4 x 4, (i, j, k, 1) → RAS in mm."""

    voxels: npt.NDArray[Any]
    spacing_mm: tuple[float, float, float]  # slice, row, column
    affine: npt.NDArray[np.float64]

    @property
    def plane(self) -> str:
        """Plane in which the slices lie, by the main direction of the slice axis."""
        return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(self.affine[:3, 2])))]


def read(path: Path) -> Nifti:
    """Return the first volume of a .nii or .nii.gz file, rescaled by scl_slope and scl_inter.

    int16 stays int16 when there is no rescaling; all else becomes float32. Raises InputError.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise InputError(f"{path} must be a readable NIfTI file, got {error}") from error
    if len(data) < HEADER_BYTES:
        raise InputError(f"{path} must hold a NIfTI-1 header of {HEADER_BYTES} bytes, got {len(data)}")
    order = "<" if struct.unpack_from("<i", data, 0)[0] == HEADER_BYTES else ">"
    if struct.unpack_from(order + "i", data, 0)[0] != HEADER_BYTES:
        raise InputError(f"{path} must start with the NIfTI-1 header size, got {struct.unpack_from('<i', data, 0)[0]}")
    rank, *sizes = struct.unpack_from(order + "8h", data, 40)
    code = struct.unpack_from(order + "h", data, 70)[0]
    pixdim = struct.unpack_from(order + "8f", data, 76)
    offset, slope, intercept = struct.unpack_from(order + "3f", data, 108)
    if not 2 <= rank <= 7 or code not in TYPES or min(sizes[:2]) < 1:
        raise InputError(f"{path} must be a 2D-4D volume of whole or real numbers, got rank {rank}, datatype {code}")
    shape = (max(1, sizes[2]) if rank > 2 else 1, sizes[1], sizes[0])
    count = shape[0] * shape[1] * shape[2]
    kind = np.dtype(order + TYPES[code])
    start = max(HEADER_BYTES, int(offset))
    if len(data) < start + count * kind.itemsize:
        raise InputError(f"{path} must hold {count} voxels, got {(len(data) - start) // kind.itemsize}")
    voxels = np.frombuffer(data, kind, count, start).reshape(shape)
    if slope not in (0.0, 1.0) or (slope != 0.0 and intercept != 0.0):
        voxels = voxels.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    voxels = voxels.astype(np.int16 if code == 4 and voxels.dtype.kind == "i" else np.float32)
    affine = _affine(data, order, pixdim)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    spacing = np.where(spacing > 0, spacing, 1.0)
    return Nifti(voxels, (float(spacing[2]), float(spacing[1]), float(spacing[0])), affine)


def _affine(data: bytes, order: str, pixdim: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """sform when it is set, else qform, else spacing alone."""
    qform, sform = struct.unpack_from(order + "2h", data, 252)
    affine = np.eye(4)
    if sform > 0:
        affine[:3] = np.array(struct.unpack_from(order + "12f", data, 280)).reshape(3, 4)
        return affine
    zooms = np.abs(np.array(pixdim[1:4]))
    if qform <= 0:
        affine[:3, :3] = np.diag(np.where(zooms > 0, zooms, 1.0))
        return affine
    b, c, d, x, y, z = struct.unpack_from(order + "6f", data, 256)
    a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    zooms[2] *= -1.0 if pixdim[0] < 0 else 1.0
    affine[:3, :3] = rotation * zooms
    affine[:3, 3] = (x, y, z)
    return affine
