"""Instance and series, as they were received."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Announced:
    """What the request that brought an object calls it, where its data set says otherwise."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One DICOM object whose bytes are safe in the spool.

    Text values are as in the object, empty where the attribute is absent. `sha256` is the hex digest of the data set
    as it came over the wire (without the file meta information). `received_at` is UTC. `arrival` tells an object that
    came for the first time from one whose same bytes were there already (`path` is then the earlier file) and from
    one whose SOP Instance UID was there with other bytes (both files are kept). `fetched`: we asked an archive for it,
    nobody sent it. `announced`: how its sender knows it, if that is not what the data set says; None: as it says.
    """

    path: Path
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    size_bytes: int
    sha256: str
    calling_ae_title: str
    received_at: datetime
    association_id: str = ""
    arrival: Literal["new", "repeated", "conflicting"] = "new"
    fetched: bool = False
    announced: Announced | None = None
