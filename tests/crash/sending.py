"""A scanner for these tests: tiny series, and a sender that remembers what it was promised."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

from qagate.deliver.peer import Requestor

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ROOT = "1.2.826.0.1.3680043.8.498.88"


def series(number: int, images: int = 3, *, first: int = 0, grey: int = 0) -> list[Dataset]:
    """Return a small MR series; its number says its UIDs, and equal arguments give equal bytes.

    first: 0-based number of the first image. grey: added to every pixel, for other bytes under the same UIDs.
    """
    noise = np.random.default_rng(number)
    made = []
    for index in range(first + images):
        dataset = dcmread(str(get_testdata_file("MR_small.dcm", download=False)))
        pixels = dataset.pixel_array.astype(np.int32) + noise.integers(0, 40, (64, 64)) + grey
        if index < first:
            continue
        dataset.PixelData = pixels.astype("<i2").tobytes()
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        dataset.StudyInstanceUID = f"{ROOT}.{number}"
        dataset.SeriesInstanceUID = f"{ROOT}.{number}.1"
        dataset.FrameOfReferenceUID = f"{ROOT}.{number}.2"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{number}.1.{index + 1}"
        dataset.InstanceNumber = index + 1
        dataset.PixelSpacing = [3.0, 3.0]
        dataset.SliceThickness = "5"
        dataset.ImagePositionPatient = [-96.0, -96.0, 5.0 * index]
        dataset.SliceLocation = 5.0 * index
        dataset.AccessionNumber = f"A{number}"
        dataset.SeriesDescription = "t2 tse brain"
        dataset.BodyPartExamined = "BRAIN"
        made.append(dataset)
    return made


def sha256(dataset: Dataset) -> str:
    """Return the digest of a data set as it goes over the wire."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


@dataclass(frozen=True, slots=True)
class Promise:
    """One object that was answered with Success."""

    series_instance_uid: str
    sop_instance_uid: str
    sha256: str


@dataclass(slots=True)
class Sender:
    """Sends until everything is answered with Success, however often the other side goes away."""

    port: int
    ae_title: str = "SCANNER"
    promises: list[Promise] = field(default_factory=list)
    sent: int = 0
    statuses: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, datasets: Iterable[Dataset], *, seconds: float = 120, restart: bool = True) -> None:
        """Send; after a fault start again with all images (as most scanners do) or only with what is left."""
        every = list(datasets)
        left = list(every)
        end = time.monotonic() + seconds * float(os.environ.get("QAGATE_TEST_PATIENCE", "1"))
        while left:
            if time.monotonic() > end:
                raise AssertionError(f"{len(left)} objects were not taken within {seconds} s")
            if not self.once(left) and restart:
                left = list(every)
            if left:
                time.sleep(0.1)

    def once(self, left: list[Dataset], *, stop_after: int = -1) -> bool:
        """Send in one association, and take out of `left` what was answered with Success; whether all were.

        stop_after: abort the association after so many objects.
        """
        entity = Requestor(self.ae_title)  # closes its sockets
        entity.acse_timeout = entity.connection_timeout = 5
        entity.dimse_timeout = entity.network_timeout = 30
        entity.add_requested_context(MR_IMAGE, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", self.port, ae_title="QAGATE")
        if not association.is_established:
            return False
        for number, dataset in enumerate(list(left)):
            if number == stop_after:
                association.abort()
                return False
            try:
                status = association.send_c_store(dataset).get("Status")
            except (RuntimeError, OSError):  # the association is gone
                status = None
            with self._lock:
                self.sent += 1
                self.statuses.append(-1 if status is None else status)
                if status == 0:
                    self.promises.append(
                        Promise(str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID), sha256(dataset))
                    )
            if status == 0:
                left.remove(dataset)
            if status is None or not association.is_established:
                association.abort()
                return False
        association.release()
        return not left


def in_background(*tasks: Callable[[], None]) -> Sequence[threading.Thread]:
    """Start threads for these; join them to wait."""
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    return threads
