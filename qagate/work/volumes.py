"""Volumes for the viewer: rebuilt from the spool once, kept as .nii.gz, the oldest thrown away first."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from qagate.assemble.nifti_writer import write_nifti
from qagate.assemble.series import Limits, read_series
from qagate.errors import SpoolError
from qagate.settings import Settings
from qagate.store import reception, worklist
from qagate.store.database import Database

_BUILDING = threading.Lock()  # one at a time: each takes the memory of a whole series


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
            write_nifti(path, volume.voxels, volume.geometry.spacing_mm, volume.geometry.affine_lps)
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


def trim(folder: Path, room_bytes: int, *, keep: Path) -> None:
    """Delete the volumes that were not looked at for the longest time until the rest takes no more than room_bytes."""
    files = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in folder.glob("*.nii.gz")), reverse=True)
    used = 0
    for _, size, path in files:
        used += size
        if used > room_bytes and path != keep:
            path.unlink(missing_ok=True)
