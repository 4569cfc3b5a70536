"""NIfTI-1 and NIfTI-2: one file → volumes. Source: nifti1.h and nifti2.h of the NIfTI DFWG."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.volume import Affine, Geometry, SeriesVolumes, SliceRef, Volume
from qagate.errors import InputError, TooLarge, UnreadablePixels

Array = npt.NDArray[Any]
MAX_BYTES = 8 << 30
MAX_VOLUMES = 64
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
# RAS (right, anterior, superior) → LPS (left, posterior, superior)
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    shape: tuple[int, int, int, int]  # x, y, z, time
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: npt.NDArray[np.float64]
    placed: bool


def read_nifti(path: Path, max_bytes: int = MAX_BYTES) -> SeriesVolumes:
    """Return the volumes of a .nii or .nii.gz file; of a 4D file each time point, up to 64.

    Voxels become (slices, rows, columns) with slices ascending along the normal, int16 where values are whole and fit,
    else float32. Raises InputError when it is no NIfTI file, UnreadablePixels when it ends early, TooLarge.
    """
    try:
        opener: Any = gzip.open if path.suffix == ".gz" or _is_gzip(path) else open
        with opener(path, "rb") as file:
            head = _head(file.read(544), path)
            x, y, z, times = head.shape
            kept = min(times, MAX_VOLUMES)
            size = x * y * z * kept * head.dtype.itemsize
            if max(size, x * y * z * kept * 4) > max_bytes:
                raise TooLarge(f"{path.name} may hold {max_bytes} bytes of voxels, got {size}")
            file.seek(head.offset)
            raw = file.read(size)
    except (OSError, EOFError, ValueError, OverflowError, zlib.error) as error:
        raise InputError(f"{path.name} cannot be read, got {type(error).__name__}: {error}") from None
    if len(raw) < size:
        raise UnreadablePixels(f"{path.name} ends early: its voxels take {size} bytes, got {len(raw)}")
    stored = np.frombuffer(raw, head.dtype).reshape(kept, z, y, x)  # NIfTI is column-major: x varies fastest
    findings: tuple[Finding, ...] = ()
    if times > 1:
        text = f"the file holds {times} volumes" + (f", of which {kept} were read" if kept < times else "")
        findings = (Finding(FindingCode.MULTIPLE_VOLUMES, Severity.NONE, text),)
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    volumes = tuple(_volume(stored[t], head, t, times, name) for t in range(kept))
    return SeriesVolumes(name, "", {}, 1, volumes, findings)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _head(raw: bytes, path: Path) -> _Head:
    for order in "<>":
        size = struct.unpack_from(order + "i", raw)[0] if len(raw) >= 348 else 0
        if size == 348 and raw[344:347] == b"n+1":
            return _nifti_1(raw, order, path)
        if size == 540 and len(raw) >= 540 and raw[4:7] == b"n+2":
            return _nifti_2(raw, order, path)
    raise InputError(f"{path.name} is no NIfTI file (.nii or .nii.gz, header and voxels in one), got {raw[:4]!r}")


def _nifti_1(raw: bytes, order: str, path: Path) -> _Head:
    dim = struct.unpack_from(order + "8h", raw, 40)
    datatype = struct.unpack_from(order + "h", raw, 70)[0]
    pixdim = struct.unpack_from(order + "8f", raw, 76)
    offset, slope, intercept = struct.unpack_from(order + "3f", raw, 108)
    qform, sform = struct.unpack_from(order + "2h", raw, 252)
    quatern = struct.unpack_from(order + "6f", raw, 256)
    rows = struct.unpack_from(order + "12f", raw, 280)
    offset = offset if math.isfinite(offset) else 352
    return _made(
        path, order, dim, datatype, pixdim, (int(offset), slope, intercept), (qform, sform), quatern, rows, raw[123]
    )


def _nifti_2(raw: bytes, order: str, path: Path) -> _Head:
    datatype = struct.unpack_from(order + "h", raw, 12)[0]
    dim = struct.unpack_from(order + "8q", raw, 16)
    pixdim = struct.unpack_from(order + "8d", raw, 104)
    offset, slope, intercept = struct.unpack_from(order + "q2d", raw, 168)
    qform, sform = struct.unpack_from(order + "2i", raw, 344)
    quatern = struct.unpack_from(order + "6d", raw, 352)
    rows = struct.unpack_from(order + "12d", raw, 400)
    units = struct.unpack_from(order + "i", raw, 500)[0]
    return _made(path, order, dim, datatype, pixdim, (offset, slope, intercept), (qform, sform), quatern, rows, units)


def _made(
    path: Path,
    order: str,
    dim: tuple[int, ...],
    datatype: int,
    pixdim: tuple[float, ...],
    scaling: tuple[int, float, float],
    forms: tuple[int, int],
    quatern: tuple[float, ...],
    rows: tuple[float, ...],
    units: int,
) -> _Head:
    if not 2 <= dim[0] <= 7 or any(n < 1 for n in dim[1 : dim[0] + 1]):
        raise InputError(f"{path.name} must have 2 to 7 dimensions, each at least 1, got {dim[1 : max(dim[0], 0) + 1]}")
    if datatype not in _TYPES:
        raise InputError(f"{path.name} must hold whole or real numbers, got NIfTI data type {datatype}")
    sizes = [int(n) for n in dim[1 : dim[0] + 1]] + [1] * 6
    shape = (sizes[0], sizes[1], sizes[2], math.prod(sizes[3:7]))
    scale = _UNIT_MM.get(units & 7, 1.0)
    spacing = np.array([abs(p) if math.isfinite(p) and p else 1.0 for p in pixdim[1:4]])
    affine = np.eye(4)
    if forms[1] > 0 and _invertible(np.array(rows).reshape(3, 4)):
        affine[:3] = np.array(rows).reshape(3, 4)
    elif forms[0] > 0 and all(math.isfinite(q) for q in quatern):
        affine[:3, :3] = _rotation(*quatern[:3]) * spacing * np.array([1, 1, -1 if pixdim[0] < 0 else 1])
        affine[:3, 3] = quatern[3:6]
    else:
        affine[:3, :3] = np.diag(spacing)
    affine[:3] *= scale
    offset, slope, intercept = scaling
    if not math.isfinite(slope) or slope == 0 or not math.isfinite(intercept):
        slope, intercept = 1.0, 0.0
    kind = np.dtype(order + _TYPES[datatype])
    return _Head(shape, kind, max(offset, 0), slope, intercept, affine, forms[0] > 0 or forms[1] > 0)


def _invertible(rows: npt.NDArray[np.float64]) -> bool:
    return bool(np.isfinite(rows).all()) and abs(float(np.linalg.det(rows[:, :3]))) > 1e-9


def _rotation(b: float, c: float, d: float) -> npt.NDArray[np.float64]:
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _volume(stored: Array, head: _Head, index: int, times: int, name: str) -> Volume:
    """stored: (z, y, x)."""
    affine = _LPS @ head.affine
    # Rows of a DICOM-like picture run down: turn y (and x) round where they run up (or right to left), so that pictures
    # are shown as radiologists hang them, and slices ascend along row × column.
    flips = _flips(affine)
    size = stored.shape[::-1]  # x, y, z
    for axis in flips:
        affine[:3, 3] += affine[:3, axis] * (size[axis] - 1)
        affine[:3, axis] *= -1
    stored = np.flip(stored, tuple(2 - axis for axis in flips))
    voxels, bad = _values(stored, head)
    findings = []
    if bad:
        text = f"voxels that hold no number (NaN or infinite) were set to the smallest value, got {bad}"
        findings.append(Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MILD, text))
    if not head.placed:
        text = "the file does not say where the voxels lie, so only their size is known"
        findings.append(Finding(FindingCode.NO_POSITION, Severity.MILD, text))
    if voxels.min() == voxels.max():
        text = f"every voxel has the same value, got {voxels.flat[0]}"
        findings.append(Finding(FindingCode.EMPTY_PIXELS, Severity.NONE, text))
    spacing = [float(np.linalg.norm(affine[:3, axis])) for axis in range(3)]
    geometry = Geometry(
        shape=(voxels.shape[0], voxels.shape[1], voxels.shape[2]),
        spacing_mm=(spacing[2], spacing[1], spacing[0]),
        affine_lps=_plain(affine),
        known=head.placed,
    )
    slices = tuple(
        SliceRef(f"{name}#{index + 1}" if times > 1 else name, "", i + 1, i * spacing[2], i + 1)
        for i in range(len(voxels))
    )
    label = f"time point {index + 1}" if times > 1 else ""
    return Volume(voxels, geometry, slices, {}, tuple(findings), index, label, np.ones(len(voxels), np.bool_))


def _flips(affine: npt.NDArray[np.float64]) -> list[int]:
    """Return the axes (0 x, 1 y, 2 z) to turn round: in-plane ones that run right to left of the picture as hung."""
    flips = []
    for axis in (0, 1):
        vector = affine[:3, axis]
        main = int(np.argmax(np.abs(vector)))
        # As hung: columns run to the patient's left or back, rows to the back or feet.
        wanted = -1.0 if main == 2 else 1.0
        if vector[main] * wanted < 0:
            flips.append(axis)
    turned = [affine[:3, axis] * (-1 if axis in flips else 1) for axis in (0, 1)]
    if float(np.cross(turned[0], turned[1]) @ affine[:3, 2]) < 0:
        flips.append(2)
    return flips


def _values(stored: Array, head: _Head) -> tuple[Array, int]:
    """Return int16 or float32 voxels after scaling, C-contiguous, and how many were no numbers."""
    if stored.dtype.kind in "iu" and head.slope == int(head.slope) and head.intercept == int(head.intercept):
        ends = [int(stored.min()) * int(head.slope) + int(head.intercept)]
        ends.append(int(stored.max()) * int(head.slope) + int(head.intercept))
        if min(ends) >= -32768 and max(ends) <= 32767:
            wide = stored.astype(np.int16, casting="unsafe")
            scaled = wide * np.array(int(head.slope)).astype(np.int16) + np.array(int(head.intercept)).astype(np.int16)
            return np.ascontiguousarray(scaled, dtype=np.int16), 0
    real = np.ascontiguousarray(stored, dtype=np.float32)
    real = real * np.float32(head.slope) + np.float32(head.intercept)
    good = np.isfinite(real)
    bad = int(real.size - good.sum())
    if bad:
        real[~good] = real[good].min() if good.any() else 0.0
    low, high = float(real.min()), float(real.max())
    if low >= -32768 and high <= 32767 and bool((real == np.rint(real)).all()):
        return real.astype(np.int16), bad
    return real, bad


def _plain(matrix: npt.NDArray[np.float64]) -> Affine:
    a, b, c, d = ((float(r[0]), float(r[1]), float(r[2]), float(r[3])) for r in matrix)
    return (a, b, c, d)
