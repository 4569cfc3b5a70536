"""The scanner against the mini PACS: each tests the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from qagate.demo.pacs import COMMITMENT, COMMITMENT_INSTANCE, STUDY_ROOT_FIND, VERIFICATION, MiniPacs
from qagate.demo.sample import Sample, Way
from qagate.demo.scanner import send
from qagate.demo.write import uid, write_series


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[MiniPacs]:
    with MiniPacs(0, tmp_path / "pacs") as running:
        yield running


def sample(tmp_path: Path, way: Way = Way.NORMAL, late: int = 0) -> Sample:
    voxels = np.zeros((6, 8, 8), np.int16)
    paths = write_series(voxels, (1, 1, 1), tmp_path / "scan", modality="CT", description="d")
    return Sample("s", "CT", tuple(paths), way, late=late, series_instance_uid=uid("series", "0", "1", 2))


class TestSend:
    # way, late → objects that arrive, how often each is sent, waits
    @pytest.mark.parametrize(
        ("way", "late", "objects", "sent", "waits"),
        [
            (Way.NORMAL, 0, 6, 6, []),
            (Way.ABORTED, 0, 3, 3, []),  # half of 6
            (Way.DUPLICATE, 0, 6, 12, []),  # twice 6
            (Way.LATE, 2, 6, 6, [16.0]),  # 4, a wait, 2
        ],
    )
    def test_ways(
        self, pacs: MiniPacs, tmp_path: Path, way: Way, late: int, objects: int, sent: int, waits: list[float]
    ) -> None:
        waited: list[float] = []
        result = send(sample(tmp_path, way, late), pacs.host, pacs.port, "SCANNER", "MINIPACS", wait=waited.append)
        assert (len(pacs.objects()), result.sent, waited) == (objects, sent, waits)
        assert result.accepted
        assert result.aborted == (way is Way.ABORTED)
        assert result.statuses == {0: sent}

    def test_bytes_and_syntax_stay(self, pacs: MiniPacs) -> None:
        path = Path(str(pydicom.data.get_testdata_file("J2K_pixelrep_mismatch.dcm", download=False)))
        send(Sample("j2k", "CT", (path,)), pacs.host, pacs.port, called_ae_title="MINIPACS")
        stored = pacs.objects()[0]
        before, after = pydicom.dcmread(path), pydicom.dcmread(stored.path)
        assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
        assert after.PixelData == before.PixelData
        assert (stored.kind, stored.modality) == ("IMAGE", "CT")

    def test_what_is_no_dicom_is_named(self, pacs: MiniPacs, tmp_path: Path) -> None:
        text = tmp_path / "notes.txt"
        text.write_text("no image")
        result = send(Sample("t", "text", (text,)), pacs.host, pacs.port, called_ae_title="MINIPACS")
        assert result.failed == {"notes.txt": "InvalidDicomError"}
        assert not result.accepted


class TestMiniPacs:
    def test_echo_and_find(self, pacs: MiniPacs, tmp_path: Path) -> None:
        made = sample(tmp_path)
        send(made, pacs.host, pacs.port, called_ae_title="MINIPACS")
        entity = AE("ASKER")
        entity.add_requested_context(VERIFICATION)
        entity.add_requested_context(STUDY_ROOT_FIND)
        association = entity.associate(pacs.host, pacs.port, ae_title="MINIPACS")
        assert association.send_c_echo().Status == 0
        asked = Dataset()
        asked.QueryRetrieveLevel = "SERIES"
        asked.StudyInstanceUID = uid("study", "0", "1")
        asked.SeriesInstanceUID = ""
        asked.Modality = "CT"
        answers = [answer for _, answer in association.send_c_find(asked, STUDY_ROOT_FIND) if answer]
        assert [answer.SeriesInstanceUID for answer in answers] == [made.series_instance_uid]
        asked.Modality = "MR"
        assert [a for _, a in association.send_c_find(asked, STUDY_ROOT_FIND) if a] == []
        association.release()

    def test_commitment_says_what_is_there_and_what_is_not(self, pacs: MiniPacs, tmp_path: Path) -> None:
        made = sample(tmp_path)
        send(made, pacs.host, pacs.port, called_ae_title="MINIPACS")
        heard: list[tuple[int, Dataset]] = []

        def note(event: evt.Event) -> tuple[int, None]:
            heard.append((event.event_type, event.event_information))
            return 0, None

        node = AE("NODE")
        node.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
        server = node.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, note)])
        assert server is not None
        pacs.commitment_peer = ("127.0.0.1", int(server.server_address[1]))
        node.add_requested_context(COMMITMENT)
        association = node.associate(pacs.host, pacs.port, ae_title="MINIPACS")
        request = Dataset()
        request.TransactionUID = "1.2.3"
        request.ReferencedSOPSequence = [Dataset(), Dataset()]
        held = pacs.objects()[0].sop_instance_uid
        for item, name in zip(request.ReferencedSOPSequence, (held, "1.9"), strict=True):
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = pydicom.uid.CTImageStorage, name
        status, _ = association.send_n_action(request, 1, COMMITMENT, COMMITMENT_INSTANCE)
        association.release()
        pacs.stop()  # waits for the answer
        server.shutdown()
        assert status.Status == 0
        event_type, answer = heard[0]
        assert event_type == 2  # some failed
        assert [i.ReferencedSOPInstanceUID for i in answer.ReferencedSOPSequence] == [held]
        assert [i.FailureReason for i in answer.FailedSOPSequence] == [0x0112]
