"""NIfTI: just enough of it to read training volumes; what headers mean is in `domain.nifti`."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.nifti import HEADER_BYTES, header
from qagate.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Nifti:
    """One volume. voxels: (slices, rows, columns), that is NIfTI (k, j, i). affine: 4 x 4, (i, j, k, 1) → RAS in mm.

    sized: whether the file says how large a voxel is. times: how many volumes the file holds; this is the first.
    """

    voxels: npt.NDArray[Any]
    spacing_mm: tuple[float, float, float]  # slice, row, column
    affine: npt.NDArray[np.float64]
    sized: bool = True
    times: int = 1

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
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} must be a readable NIfTI file, got {error}") from error
    head = header(data[:HEADER_BYTES], str(path))
    columns, rows, slices, times = head.shape
    count, kind = columns * rows * slices, head.dtype
    if len(data) < head.offset + count * kind.itemsize:
        raise InputError(f"{path} must hold {count} voxels, got {max(0, len(data) - head.offset) // kind.itemsize}")
    voxels = np.frombuffer(data, kind, count, head.offset).reshape(slices, rows, columns)
    scaled = (head.slope, head.intercept) != (1.0, 0.0)
    if scaled:
        voxels = voxels.astype(np.float32) * np.float32(head.slope) + np.float32(head.intercept)
    voxels = voxels.astype(np.int16 if kind.kind == "i" and kind.itemsize == 2 and not scaled else np.float32)
    spacing = np.linalg.norm(head.affine[:3, :3], axis=0)
    return Nifti(voxels, (float(spacing[2]), float(spacing[1]), float(spacing[0])), head.affine, head.sized, times)
