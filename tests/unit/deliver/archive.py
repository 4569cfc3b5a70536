"""A destination for the tests of delivery, which answers as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from qagate.settings import Destination

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def make_document(folder: Path, sop_instance_uid: str, sop_class_uid: str = COMPREHENSIVE_3D_SR, **more: Any) -> Path:
    """Write a small document and return its path."""
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = more.pop("transfer_syntax_uid", ExplicitVRLittleEndian)
    data_set.SOPClassUID = sop_class_uid
    data_set.SOPInstanceUID = sop_instance_uid
    data_set.StudyInstanceUID = "1.2"
    data_set.SeriesInstanceUID = "1.2.3"
    data_set.PatientID = "X"
    for keyword, value in more.items():
        setattr(data_set, keyword, value)
    path = folder / f"{sop_instance_uid}.dcm"
    data_set.save_as(path, enforce_file_format=True)
    return path


class Archive:
    """What an archive got; `answer` decides the status of each object."""

    def __init__(self) -> None:
        self.received: list[Dataset] = []
        self.syntaxes: list[str] = []
        self.associations = 0
        self.answer: Callable[[Dataset, Any], int] = lambda data_set, event: 0x0000
        self.on_data: Callable[[Any], None] = lambda event: None

    def store(self, event: Any) -> int:
        """Serve C-STORE."""
        data_set = event.dataset
        self.received.append(data_set)
        self.syntaxes.append(str(event.context.transfer_syntax))
        return self.answer(data_set, event)

    @property
    def uids(self) -> list[str]:
        """SOP Instance UIDs in the order of arrival."""
        return [str(data_set.SOPInstanceUID) for data_set in self.received]


@contextmanager
def archiving(
    *sop_classes: str,
    syntaxes: Sequence[str] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    handlers: Sequence[Any] = (),
    ae_title: str = "PACS",
    timeout_seconds: float = 5,
    maximum_pdu_bytes: int = 16382,
) -> Iterator[tuple[Destination, Archive]]:
    """Run an archive that takes these SOP classes; yields where it is."""
    archive = Archive()
    entity = AE(ae_title)
    entity.require_called_aet = True
    entity.maximum_pdu_size = maximum_pdu_bytes
    entity.add_supported_context("1.2.840.10008.1.1")
    entity.add_supported_context("1.2.840.10008.1.20.1", scu_role=True, scp_role=True)
    for uid in sop_classes or (COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR, SECONDARY_CAPTURE):
        entity.add_supported_context(uid, list(syntaxes))

    def counted(event: Any) -> None:
        archive.associations += 1

    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, archive.store),
            (evt.EVT_ACCEPTED, counted),
            (evt.EVT_DATA_RECV, lambda event: archive.on_data(event)),
            *handlers,
        ],
    )
    try:
        yield (
            Destination(
                name="pacs",
                ae_title=ae_title,
                host="127.0.0.1",
                port=server.server_address[1],
                timeout_seconds=timeout_seconds,
            ),
            archive,
        )
    finally:
        server.shutdown()
