"""The spool: received objects, as files that survive a power cut.

One folder for each series, one Part 10 file for each object: `<root>/<series uid>/<sop uid>.dcm`. A file is written
under a temporary name, synchronised, linked to its own name (which never replaces another file), and its folder is
synchronised; only then is it there. Everything that is known about an object can be read back from its file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from qagate.domain.series import Announced, StoredInstance
from qagate.errors import NotDicom, SpoolError, SpoolFull
from qagate.receive import part10
from qagate.receive.header import Header, read_header
from qagate.receive.leaving import ASIDE_SUFFIX, put_back
from qagate.receive.part10 import FileMeta
from qagate.receive.spooled import (
    MADE_NAME,
    digest_said,
    holds,
    read_back,
    safe_name,
    synchronise,
    touch,
    write_all,
)

logger = logging.getLogger(__name__)

_TEMPORARY_SUFFIX = ".part"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEMBERED_FOLDERS = 10_000


class Spool:
    """The folder of received objects; may be used by many threads and processes at once.

    `reserve_bytes` of the disk are left free: an object that would go below is not taken.
    """

    def __init__(self, root: Path, reserve_bytes: int) -> None:
        self.root = root
        self.reserve_bytes = reserve_bytes
        self._durable_folders: set[str] = set()  # whose own entry in the root is known to be synchronised
        try:
            root.mkdir(parents=True, exist_ok=True)
            synchronise(root.parent)
        except OSError as error:
            raise SpoolError(f"the spool folder cannot be made, got {error.strerror}: {root}") from None

    def free_bytes(self) -> int:
        """Return how many bytes can be taken before the reserve is touched; negative when it is."""
        try:
            disk = os.statvfs(self.root)
        except OSError as error:
            raise SpoolError(f"the spool folder must be there, got {error.strerror}: {self.root}") from None
        return disk.f_bavail * disk.f_frsize - self.reserve_bytes

    def store(
        self,
        data_set: bytes | memoryview,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        calling_ae_title: str,
        called_ae_title: str,
        received_at: datetime,
        association_id: str = "",
    ) -> StoredInstance:
        """Put an encoded data set on disk, untouched, and return once it is durable.

        The two UIDs are those of the C-STORE request: they stand in for what the data set does not say, and are kept
        as `announced` where it says otherwise. An object that
        is here already is not written again (`arrival` is "repeated"); one with a known UID and other bytes is kept
        beside the first ("conflicting"). called_ae_title: "" for what was fetched. Raises SpoolFull, leaving nothing
        behind, or SpoolError.
        """
        free = self.free_bytes()
        if len(data_set) > free:
            raise SpoolFull(f"the spool needs {len(data_set)} bytes above its reserve, got {free}: {self.root}")
        header = read_header(data_set, transfer_syntax_uid)
        digest = hashlib.sha256(data_set).hexdigest()
        meta = FileMeta(
            sop_class_uid=header.sop_class_uid or sop_class_uid,
            sop_instance_uid=header.sop_instance_uid or sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            calling_ae_title=calling_ae_title,
            called_ae_title=called_ae_title,
            sha256=digest,
            announced=_announced(header, sop_class_uid, sop_instance_uid),
        )
        folder = self.root / safe_name(header.series_instance_uid)
        try:
            path, arrival = self._place(folder, meta, data_set, received_at)
        except OSError as error:
            if error.errno in _FULL:
                raise SpoolFull(f"the disk is full, got {error.strerror}: {self.root}") from None
            raise SpoolError(f"the spool cannot be written, got {error.strerror}: {self.root}") from None
        return StoredInstance(
            path=path,
            sop_instance_uid=meta.sop_instance_uid,
            sop_class_uid=meta.sop_class_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            series_instance_uid=header.series_instance_uid,
            study_instance_uid=header.study_instance_uid,
            modality=header.modality,
            size_bytes=len(data_set),
            sha256=digest,
            calling_ae_title=calling_ae_title,
            received_at=received_at,
            association_id=association_id,
            arrival=arrival,
            fetched=not called_ae_title,
            announced=meta.announced,
        )

    def _place(
        self, folder: Path, meta: FileMeta, data_set: bytes | memoryview, received_at: datetime
    ) -> tuple[Path, Literal["new", "repeated", "conflicting"]]:
        name = safe_name(meta.sop_instance_uid)
        first = folder / f"{name}.dcm"
        other = folder / f"{name}.{meta.sha256[:12]}.dcm"
        known = digest_said(first)
        if known == meta.sha256 or (known is not None and digest_said(other) == meta.sha256):
            path = first if known == meta.sha256 else other
            with contextlib.suppress(FileNotFoundError):  # it left the spool this moment: it is written anew
                if holds(path, meta.sha256):
                    touch(path, received_at)
                else:
                    logger.warning("spool: %s is damaged on the disk; it came again and is written anew", path)
                    os.replace(self._write(folder, meta, data_set, received_at), path)
                # whoever wrote it may not have come to synchronising the folder yet
                synchronise(folder)
                return path, "repeated"
        temporary = self._write(folder, meta, data_set, received_at)
        try:
            for path, arrival in ((first, "new"), (other, "conflicting")):
                try:
                    os.link(temporary, path)
                except FileExistsError:
                    if digest_said(path) == meta.sha256:
                        arrival = "repeated"
                    elif path == first:
                        continue
                    else:
                        raise
                temporary.unlink()
                synchronise(folder)
                return path, arrival  # type: ignore[return-value]
            raise AssertionError("unreachable")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _write(self, folder: Path, meta: FileMeta, data_set: bytes | memoryview, received_at: datetime) -> Path:
        """Write a synchronised file under a temporary name; leaves nothing behind when it fails."""
        temporary = folder / f".{uuid.uuid4().hex}{_TEMPORARY_SUFFIX}"
        descriptor = self._open(temporary)
        try:
            try:
                write_all(descriptor, [part10.encode(meta), data_set])
                touch(descriptor, received_at)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _open(self, temporary: Path) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        folder = temporary.parent
        if folder.name in self._durable_folders:
            # retention may have removed it since
            with contextlib.suppress(FileNotFoundError):
                return os.open(temporary, flags, 0o640)
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        synchronise(self.root)
        if len(self._durable_folders) >= _REMEMBERED_FOLDERS:
            self._durable_folders.clear()
        self._durable_folders.add(folder.name)
        return os.open(temporary, flags, 0o640)

    def folders(self) -> Iterator[Path]:
        """Yield the folder of each series."""
        for folder in _entries(self.root):
            if folder.is_dir() and not folder.name.startswith("."):
                yield folder

    def series_in(self, folder: Path) -> str | None:
        """Return the Series Instance UID of what lies in a folder; None when nothing in it can be read."""
        if not folder.name.startswith(MADE_NAME):
            return folder.name
        for path in _entries(folder):
            if path.suffix in (".dcm", ASIDE_SUFFIX):
                with contextlib.suppress(OSError, NotDicom):
                    return read_back(path).series_instance_uid
        return None

    def is_settled(self, folder: Path) -> bool:
        """Whether nothing in a folder is being written, or set aside."""
        return all(path.suffix == ".dcm" for path in _entries(folder))

    def adopt_folder(self, folder: Path, known: Container[str] = frozenset()) -> Iterator[StoredInstance]:
        """Yield every object in the folder of one series, rebuilt from its file alone; skip `known` paths.

        The association is not known any more. A file that is not DICOM is left where it is and logged.
        """
        paths = _entries(folder)
        back = [put_back(path) for path in paths if path.suffix == ASIDE_SUFFIX]  # each of them
        if any(back):
            paths = _entries(folder)
        for path in paths:
            if path.suffix != ".dcm" or path.name.startswith(".") or str(path) in known:
                continue
            try:
                yield read_back(path)
            except FileNotFoundError:
                continue  # retention was quicker
            except (OSError, NotDicom) as error:
                logger.warning("spool: %s cannot be adopted: %s", path, error)

    def remove_temporary(self, folder: Path, older_than_seconds: float) -> int:
        """Remove what writers that were killed left behind in the folder of one series; returns how many files."""
        removed = 0
        oldest = time.time() - older_than_seconds
        for path in _entries(folder):
            with contextlib.suppress(FileNotFoundError):
                # the change time is the machine's own; the modification time is the time of reception
                if path.suffix == _TEMPORARY_SUFFIX and path.stat().st_ctime <= oldest:
                    path.unlink()
                    removed += 1
        return removed


def why_unwritable(root: Path) -> str:
    """Return why nothing can be written into the spool now, as the system says it; empty when something can."""
    try:
        with tempfile.TemporaryFile(dir=root, buffering=0) as file:
            file.write(bytes(4096))
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _announced(header: Header, sop_class_uid: str, sop_instance_uid: str) -> Announced | None:
    """Return what a request says, where the data set says otherwise; values as a UID may be."""
    same = header.sop_class_uid in ("", sop_class_uid) and header.sop_instance_uid in ("", sop_instance_uid)
    if same or not (sop_class_uid and sop_instance_uid):
        return None
    return Announced(sop_class_uid[:64], sop_instance_uid[:64])


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
