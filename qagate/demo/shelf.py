"""Shelf: the objects that an archive of the demo keeps, each in a file of its own."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

_KINDS = {
    "1.2.840.10008.5.1.4.1.1.88.59": "KO",
    "1.2.840.10008.5.1.4.1.1.7": "SC",
}
_SR_PREFIX = "1.2.840.10008.5.1.4.1.1.88."


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object on the shelf. kind: SR, SC, KO or IMAGE. at: seconds of the monotonic clock when it first came."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    kind: str
    modality: str
    path: Path
    at: float
    times: int = 1


def kind_of(sop_class_uid: str) -> str:
    """Return SR, SC, KO or IMAGE for a SOP class."""
    if sop_class_uid in _KINDS:
        return _KINDS[sop_class_uid]
    return "SR" if sop_class_uid.startswith(_SR_PREFIX) else "IMAGE"


class Shelf:
    """Keeps objects by their SOP Instance UID; what comes again replaces what was there, and is counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._objects: dict[str, StoredObject] = {}
        self._lock = threading.Lock()

    def keep(self, raw: bytes) -> StoredObject:
        """Keep one object: preamble, file meta information and data set, byte for byte.

        Raises what pydicom raises when it is none, and OSError when it cannot be written.
        """
        head = dcmread(
            BytesIO(raw),
            specific_tags=["StudyInstanceUID", "SeriesInstanceUID", "Modality"],
            stop_before_pixels=True,
        )
        sop_instance_uid = str(head.file_meta.MediaStorageSOPInstanceUID)
        sop_class_uid = str(head.file_meta.MediaStorageSOPClassUID)
        path = self.folder / f"{hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32]}.dcm"
        part = path.with_suffix(f".{threading.get_ident()}.part")
        part.write_bytes(raw)
        part.replace(path)
        with self._lock:
            before = self._objects.get(sop_instance_uid)
            stored = self._objects[sop_instance_uid] = StoredObject(
                str(head.get("StudyInstanceUID", "")), str(head.get("SeriesInstanceUID", "")), sop_instance_uid,
                sop_class_uid, kind_of(sop_class_uid), str(head.get("Modality", "")), path,
                before.at if before else time.monotonic(), before.times + 1 if before else 1,
            )  # fmt: skip
        return stored

    def objects(self) -> tuple[StoredObject, ...]:
        """Return what is kept, in the order of arrival."""
        with self._lock:
            return tuple(self._objects.values())
