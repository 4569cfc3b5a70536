"""Volumes for the viewer: rebuilt from the spool once, kept as .nii.gz, the oldest thrown away first."""

from __future__ import annotations

import gzip
import os
import struct
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qagate.assemble.series import Limits, read_series
from qagate.domain.volume import Affine, Volume
from qagate.errors import SpoolError
from qagate.settings import Settings
from qagate.store import reception, worklist
from qagate.store.database import Database

_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_BUILDING = threading.Lock()  # one at a time: each takes the memory of a whole series
GZIP_LEVEL = 1  # a viewer waits for it


def volume_file(settings: Settings, database: Database, uid: str, index: int) -> Path | None:
    """Return the .nii.gz of one volume (0-based) of the latest judged revision; None when its images are gone.

    Raises SpoolError when it cannot be written.
    """
    with database.read() as session:
        revision = next((r for r in worklist.revisions(session, uid) if r.assessed_at), None)
        if revision is None:
            return None
        paths = reception.spool_paths(session, uid, revision.number)
    path = settings.volumes_dir / f"{revision.id}-{index}.nii.gz"
    if _touched(path):
        return path
    with _BUILDING:
        if _touched(path):  # somebody else's wait was ours, too
            return path
        there = [file for file in paths if file.is_file()]
        if not there:
            return None
        limits = Limits(settings.storage.max_object_mb << 20, settings.storage.max_volume_mb << 20)
        volume = next((v for v in read_series(there, limits).volumes if v.index == index), None)
        if volume is None or volume.voxels.size == 0:
            return None
        try:
            write_nifti(path, volume)
            trim(settings.volumes_dir, settings.web.volumes_mb << 20, keep=path)
        except OSError as error:
            raise SpoolError(f"a volume cannot be written to {settings.volumes_dir}: {error.strerror}") from error
    return path


def _touched(path: Path) -> bool:
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def write_nifti(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI-1 with its place in the patient (RAS); complete or not at all. Raises OSError."""
    voxels = volume.voxels
    if voxels.dtype != np.int16:
        voxels = np.nan_to_num(voxels.astype(np.float32, copy=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with gzip.open(temporary, "wb", compresslevel=GZIP_LEVEL) as file:
        file.write(header(voxels.shape, voxels.dtype, volume.geometry.spacing_mm, volume.geometry.affine_lps))
        for one in voxels:  # slice by slice: no second copy of the whole
            file.write(np.ascontiguousarray(one).astype(one.dtype.newbyteorder("<"), copy=False).tobytes())
    os.replace(temporary, path)


def header(
    shape: tuple[int, ...], dtype: npt.DTypeLike, spacing_mm: tuple[float, float, float], affine_lps: Affine
) -> bytes:
    """Return the 352 bytes before the voxels. shape: (slices, rows, columns). Source: nifti1.h of the NIfTI DFWG."""
    slices, rows, columns = shape
    code, bits = (4, 16) if np.dtype(dtype) == np.int16 else (16, 32)
    raw = bytearray(352)
    struct.pack_into("<i", raw, 0, 348)
    struct.pack_into("<8h", raw, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<2h", raw, 70, code, bits)
    struct.pack_into("<8f", raw, 76, 1.0, spacing_mm[2], spacing_mm[1], spacing_mm[0], 0, 0, 0, 0)
    struct.pack_into("<3f", raw, 108, 352.0, 1.0, 0.0)  # offset, slope, intercept
    raw[123] = 2  # mm
    struct.pack_into("<2h", raw, 252, 0, 1)  # no quaternion; the matrix is in scanner coordinates
    struct.pack_into("<12f", raw, 280, *(_RAS @ np.asarray(affine_lps, dtype=np.float64))[:3].ravel())
    raw[344:348] = b"n+1\0"
    return bytes(raw)


def trim(folder: Path, room_bytes: int, *, keep: Path) -> None:
    """Delete the volumes that were not looked at for the longest time until the rest takes no more than room_bytes."""
    files = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in folder.glob("*.nii.gz")), reverse=True)
    used = 0
    for _, size, path in files:
        used += size
        if used > room_bytes and path != keep:
            path.unlink(missing_ok=True)
