"""One file of the spool: its name, what it says of itself and whether that is true, and how it becomes durable."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qagate.domain.series import StoredInstance
from qagate.errors import NotDicom
from qagate.receive import part10
from qagate.receive.header import HEAD_BYTES, read_header

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


MADE_NAME = "x-"
"""What a name begins with that was made from a digest; no UID does."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def touch(file: Path | int, received_at: datetime) -> None:
    """Say when an object came."""
    nanoseconds = (received_at - EPOCH) // timedelta(microseconds=1) * 1000
    os.utime(file, ns=(nanoseconds, nanoseconds))


def read_back(path: Path) -> StoredInstance:
    """Return what a file alone says of its object. Raises OSError and NotDicom."""
    with path.open("rb") as stream:
        meta, offset = part10.decode(stream)
        stream.seek(offset)
        header = read_header(stream.read(HEAD_BYTES), meta.transfer_syntax_uid)
        digest = meta.sha256
        if not digest:
            stream.seek(offset)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        state = os.fstat(stream.fileno())
    sop_instance_uid = header.sop_instance_uid or meta.sop_instance_uid
    return StoredInstance(
        path=path,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=header.sop_class_uid or meta.sop_class_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        series_instance_uid=header.series_instance_uid,
        study_instance_uid=header.study_instance_uid,
        modality=header.modality,
        size_bytes=state.st_size - offset,
        sha256=digest,
        calling_ae_title=meta.calling_ae_title,
        received_at=EPOCH + timedelta(microseconds=state.st_mtime_ns // 1000),
        arrival="new" if path.stem == safe_name(sop_instance_uid) else "conflicting",
        fetched=bool(meta.sha256) and not meta.called_ae_title,
        announced=meta.announced,
    )


def holds(path: Path, sha256: str) -> bool:
    """Whether a file really holds the data set that it says it does. Raises FileNotFoundError."""
    try:
        with path.open("rb") as stream:
            _, offset = part10.decode(stream)
            stream.seek(offset)
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        raise
    except (OSError, NotDicom):
        return False


def digest_said(path: Path) -> str | None:
    """Return the digest of the data set in a file of the spool, as the file says; None when there is no such file.

    Empty for a file that cannot be read, or is no object.
    """
    try:
        with path.open("rb") as stream:
            meta, offset = part10.decode(stream)
            if meta.sha256:
                return meta.sha256
            stream.seek(offset)
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except (OSError, NotDicom):
        return ""


def safe_name(uid: str) -> str:
    """Return the UID if it is one, else a name made from its digest: what a peer sends never becomes a path."""
    if len(uid) <= 64 and _UID.fullmatch(uid):
        return uid
    return MADE_NAME + hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def write_all(descriptor: int, parts: list[bytes | memoryview]) -> None:
    """Write all of them, however often the system stops."""
    views = [memoryview(part).cast("B") for part in parts if len(part)]
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


def synchronise(folder: Path) -> None:
    """Let the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
