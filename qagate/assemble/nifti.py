"""NIfTI files → volumes; what their headers mean is in `domain.nifti`."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.filling import filled, without_filling
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.nifti import HEADER_BYTES, Header, header
from qagate.domain.volume import Affine, Geometry, SeriesVolumes, SliceRef, Volume
from qagate.errors import InputError, TooLarge, UnreadablePixels

Array = npt.NDArray[Any]
MAX_BYTES = 8 << 30
MAX_VOLUMES = 64
# RAS (right, anterior, superior) → LPS (left, posterior, superior)
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_nifti(path: Path, max_bytes: int = MAX_BYTES) -> SeriesVolumes:
    """Return the volumes of a .nii or .nii.gz file; of a 4D file each time point, up to 64.

    Voxels become (slices, rows, columns) with slices ascending along the normal, int16 where values are whole and fit,
    else float32. Raises InputError when it is no NIfTI file, UnreadablePixels when it ends early, TooLarge.
    """
    try:
        opener: Any = gzip.open if path.suffix == ".gz" or _is_gzip(path) else open
        with opener(path, "rb") as file:
            head = header(file.read(HEADER_BYTES), path.name)
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


def _volume(stored: Array, head: Header, index: int, times: int, name: str) -> Volume:
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
    voxels, filling = without_filling(voxels)
    findings = []
    if bad:
        text = f"voxels that hold no number (NaN or infinite) were set to the smallest value, got {bad}"
        findings.append(Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MILD, text))
    if filling is not None:
        findings.append(filled(filling))
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


def _values(stored: Array, head: Header) -> tuple[Array, int]:
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
