"""NIfTI: what the header of a NIfTI-1 or NIfTI-2 file says. Source: nifti1.h and nifti2.h of the NIfTI DFWG."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.errors import InputError

HEADER_BYTES = 544
"""So many bytes from the start of a file hold either header and the four after it."""
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
_FLAT = 1e-6
"""Axes that span less than this share of the box of their lengths are no axes of a volume."""


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What a header says, made safe to use.

    shape: columns, rows, slices, volumes (x, y, z and all further dimensions at once). dtype: with its byte order.
    offset: byte of the first voxel. value = slope * stored + intercept; 1 and 0 where the file has no such scaling.
    affine: 4 x 4, (x, y, z, 1) → RAS in mm. placed: whether the file says where the voxels lie, not only their size.
    sized: whether it says their size.
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: npt.NDArray[np.float64]
    placed: bool
    sized: bool


def header(raw: bytes, name: str) -> Header:
    """Return what the first `HEADER_BYTES` of a file say. name: of the file, for messages. Raises InputError."""
    for order in "<>":
        size = struct.unpack_from(order + "i", raw)[0] if len(raw) >= 348 else 0
        if size == 348 and raw[344:347] == b"n+1":
            return _nifti_1(raw, order, name)
        if size == 540 and len(raw) >= 540 and raw[4:7] == b"n+2":
            return _nifti_2(raw, order, name)
    raise InputError(f"{name} is no NIfTI file (.nii or .nii.gz, header and voxels in one), got {raw[:4]!r}")


def _nifti_1(raw: bytes, order: str, name: str) -> Header:
    dim = struct.unpack_from(order + "8h", raw, 40)
    datatype = struct.unpack_from(order + "h", raw, 70)[0]
    pixdim = struct.unpack_from(order + "8f", raw, 76)
    offset, slope, intercept = struct.unpack_from(order + "3f", raw, 108)
    qform, sform = struct.unpack_from(order + "2h", raw, 252)
    quatern = struct.unpack_from(order + "6f", raw, 256)
    rows = struct.unpack_from(order + "12f", raw, 280)
    offset = offset if math.isfinite(offset) else 352
    return _made(
        name, order, dim, datatype, pixdim, (int(offset), slope, intercept), (qform, sform), quatern, rows, raw[123]
    )


def _nifti_2(raw: bytes, order: str, name: str) -> Header:
    datatype = struct.unpack_from(order + "h", raw, 12)[0]
    dim = struct.unpack_from(order + "8q", raw, 16)
    pixdim = struct.unpack_from(order + "8d", raw, 104)
    offset, slope, intercept = struct.unpack_from(order + "q2d", raw, 168)
    qform, sform = struct.unpack_from(order + "2i", raw, 344)
    quatern = struct.unpack_from(order + "6d", raw, 352)
    rows = struct.unpack_from(order + "12d", raw, 400)
    units = struct.unpack_from(order + "i", raw, 500)[0]
    return _made(name, order, dim, datatype, pixdim, (offset, slope, intercept), (qform, sform), quatern, rows, units)


def _made(
    name: str,
    order: str,
    dim: tuple[int, ...],
    datatype: int,
    pixdim: tuple[float, ...],
    scaling: tuple[int, float, float],
    forms: tuple[int, int],
    quatern: tuple[float, ...],
    rows: tuple[float, ...],
    units: int,
) -> Header:
    if not 2 <= dim[0] <= 7 or any(n < 1 for n in dim[1 : dim[0] + 1]):
        raise InputError(f"{name} must have 2 to 7 dimensions, each at least 1, got {dim[1 : max(dim[0], 0) + 1]}")
    if datatype not in _TYPES:
        raise InputError(f"{name} must hold whole or real numbers, got NIfTI data type {datatype}")
    sizes = [int(n) for n in dim[1 : dim[0] + 1]] + [1] * 6
    shape = (sizes[0], sizes[1], sizes[2], math.prod(sizes[3:7]))
    sized = [math.isfinite(p) and p != 0 for p in pixdim[1:4]]
    spacing = np.array([abs(p) if there else 1.0 for p, there in zip(pixdim[1:4], sized, strict=True)])
    affine = np.eye(4)
    if forms[1] > 0 and _spans(np.array(rows).reshape(3, 4)):
        affine[:3] = np.array(rows).reshape(3, 4)
    elif forms[0] > 0 and all(math.isfinite(q) for q in quatern):
        affine[:3, :3] = _rotation(*quatern[:3]) * spacing * np.array([1, 1, -1 if pixdim[0] < 0 else 1])
        affine[:3, 3] = quatern[3:6]
    else:
        affine[:3, :3] = np.diag(spacing)
    affine[:3] *= _UNIT_MM.get(units & 7, 1.0)
    offset, slope, intercept = scaling
    if not math.isfinite(slope) or slope == 0 or not math.isfinite(intercept):
        slope, intercept = 1.0, 0.0
    kind = np.dtype(order + _TYPES[datatype])
    placed = forms[0] > 0 or forms[1] > 0
    return Header(shape, kind, max(offset, 0), slope, intercept, affine, placed, placed or all(sized[: dim[0]]))


def _spans(rows: npt.NDArray[np.float64]) -> bool:
    """Return whether three axes, (3, 4) with the origin, span a volume, whatever their unit."""
    axes = rows[:, :3]
    box = float(np.prod(np.linalg.norm(axes, axis=0)))
    return bool(np.isfinite(rows).all()) and abs(float(np.linalg.det(axes))) > _FLAT * box


def _rotation(b: float, c: float, d: float) -> npt.NDArray[np.float64]:
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
