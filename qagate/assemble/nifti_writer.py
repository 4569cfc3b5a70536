"""NIfTI-1 files written whole or not at all. Source: nifti1.h of the NIfTI DFWG."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # LPS → RAS
_CODES = {"uint8": 2, "int16": 4, "float32": 16}
GZIP_LEVEL = 1  # a viewer waits for it


def write_nifti(
    path: Path, voxels: npt.NDArray[Any], spacing_mm: tuple[float, float, float], affine_lps: npt.ArrayLike
) -> None:
    """Write voxels (slices, rows, columns), uint8, int16 or as float32, as .nii.gz in RAS.

    affine_lps: 4 x 4, maps (column, row, slice, 1) to LPS in mm. Raises OSError.
    """
    if voxels.dtype.name not in ("uint8", "int16"):
        voxels = np.nan_to_num(voxels.astype(np.float32, copy=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with gzip.open(temporary, "wb", compresslevel=GZIP_LEVEL) as file:
        file.write(header(voxels.shape, voxels.dtype, spacing_mm, affine_lps))
        for one in voxels:  # slice by slice: no second copy of the whole
            file.write(np.ascontiguousarray(one).astype(one.dtype.newbyteorder("<"), copy=False).tobytes())
    os.replace(temporary, path)


def header(
    shape: tuple[int, ...], dtype: npt.DTypeLike, spacing_mm: tuple[float, float, float], affine_lps: npt.ArrayLike
) -> bytes:
    """Return the 352 bytes before the voxels. shape: (slices, rows, columns)."""
    slices, rows, columns = shape
    kind = np.dtype(dtype)
    raw = bytearray(352)
    struct.pack_into("<i", raw, 0, 348)
    struct.pack_into("<8h", raw, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<2h", raw, 70, _CODES[kind.name], 8 * kind.itemsize)
    struct.pack_into("<8f", raw, 76, 1.0, spacing_mm[2], spacing_mm[1], spacing_mm[0], 0, 0, 0, 0)
    struct.pack_into("<3f", raw, 108, 352.0, 1.0, 0.0)  # offset, slope, intercept
    raw[123] = 2  # mm
    struct.pack_into("<2h", raw, 252, 0, 1)  # no quaternion; the matrix is in scanner coordinates
    struct.pack_into("<12f", raw, 280, *(_RAS @ np.asarray(affine_lps, dtype=np.float64))[:3].ravel())
    raw[344:348] = b"n+1\0"
    return bytes(raw)
