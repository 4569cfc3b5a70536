from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom import evt

from qagate.deliver.destination import Receipt, accepted_sop_classes, deliver, echo
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, ReportError, Unreachable
from qagate.settings import Destination
from tests.unit.deliver.archive import (
    COMPREHENSIVE_3D_SR,
    COMPREHENSIVE_SR,
    ENHANCED_SR,
    SECONDARY_CAPTURE,
    archiving,
    make_document,
)


def test_documents_arrive_in_one_association(tmp_path: Path) -> None:
    report = make_document(tmp_path, "1.1")
    picture = make_document(tmp_path, "1.2", SECONDARY_CAPTURE)
    with archiving() as (pacs, archive):
        receipts = deliver([(report,), (picture,)], pacs, calling_ae_title="QAGATE")
    assert receipts == (Receipt("1.1", "stored", 0), Receipt("1.2", "stored", 0))
    assert archive.uids == ["1.1", "1.2"]
    assert archive.associations == 1


def test_nothing_to_deliver_opens_nothing() -> None:
    nowhere = Destination(name="x", ae_title="X", host="127.0.0.1", port=1)
    assert deliver([], nowhere, calling_ae_title="QAGATE") == ()


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR), "1.34"),
        ((COMPREHENSIVE_SR, ENHANCED_SR), "1.33"),
        ((ENHANCED_SR,), "1.22"),
    ],
)
def test_the_richest_variant_that_is_accepted_is_sent(tmp_path: Path, taken: tuple[str, ...], expected: str) -> None:
    variants = (
        make_document(tmp_path, "1.34", COMPREHENSIVE_3D_SR),
        make_document(tmp_path, "1.33", COMPREHENSIVE_SR),
        make_document(tmp_path, "1.22", ENHANCED_SR),
    )
    with archiving(*taken) as (pacs, archive):
        receipts = deliver([variants], pacs, calling_ae_title="QAGATE")
    assert archive.uids == [expected]
    assert receipts == (Receipt(expected, "stored", 0),)


def test_a_variant_that_is_negotiated_and_then_refused_gives_way_to_the_next(tmp_path: Path) -> None:
    variants = (
        make_document(tmp_path, "1.34", COMPREHENSIVE_3D_SR),
        make_document(tmp_path, "1.33", COMPREHENSIVE_SR),
    )
    with archiving() as (pacs, archive):
        archive.answer = lambda data_set, event: 0x0122 if data_set.SOPClassUID == COMPREHENSIVE_3D_SR else 0x0000
        assert deliver([variants], pacs, calling_ae_title="QAGATE") == (Receipt("1.33", "stored", 0),)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x0111, "duplicate SOP instance"),
        (0xB000, "coercion of data elements"),
        (0xB006, "elements discarded"),
        (0xB007, "data set does not match SOP class"),
    ],
)
def test_delivered_with_a_warning(tmp_path: Path, status: int, words: str) -> None:
    with archiving() as (pacs, archive):
        archive.answer = lambda data_set, event: status
        receipts = deliver([(make_document(tmp_path, "1.1"),)], pacs, calling_ae_title="QAGATE")
    assert receipts == (Receipt("1.1", "warning", status, words),)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0xA700, DeliveryError),
        (0xA701, DeliveryError),
        (0x0110, DeliveryError),
        (0x0213, DeliveryError),
        (0x0124, DeliveryError),
        (0xA900, DeliveryRefused),
        (0xC000, DeliveryRefused),
        (0xC123, DeliveryRefused),
        (0x0122, DeliveryRefused),
        (0x0117, DeliveryRefused),
    ],
)
def test_not_delivered(tmp_path: Path, status: int, kind: type[DeliveryError]) -> None:
    with archiving() as (pacs, archive):
        archive.answer = lambda data_set, event: status
        with pytest.raises(DeliveryError) as caught:
            deliver([(make_document(tmp_path, "1.1"),)], pacs, calling_ae_title="QAGATE")
    assert type(caught.value) is kind
    assert caught.value.retryable is (kind is DeliveryError)
    assert f"0x{status:04X}" in str(caught.value)
    assert f"destination pacs (PACS at 127.0.0.1:{pacs.port})" in str(caught.value)


def test_one_refused_document_does_not_stop_the_others(tmp_path: Path) -> None:
    documents = [(make_document(tmp_path, f"1.{number}"),) for number in (1, 2, 3)]
    with archiving() as (pacs, archive):
        archive.answer = lambda data_set, event: 0xC000 if data_set.SOPInstanceUID == "1.1" else 0x0000
        with pytest.raises(DeliveryRefused, match=r"1\.1.*0xC000") as caught:
            deliver(documents, pacs, calling_ae_title="QAGATE")
        assert caught.value.receipts == (Receipt("1.2", "stored", 0), Receipt("1.3", "stored", 0))
        # one of them may go better later: then that is what the error says
        archive.answer = lambda data_set, event: {"1.1": 0xC000, "1.2": 0xA700}.get(str(data_set.SOPInstanceUID), 0)
        with pytest.raises(DeliveryError, match=r"0xC000.*0xA700") as caught:
            deliver(documents, pacs, calling_ae_title="QAGATE")
    assert caught.value.retryable
    assert caught.value.receipts == (Receipt("1.3", "stored", 0),)


def test_a_sop_class_that_is_not_accepted(tmp_path: Path) -> None:
    documents = [(make_document(tmp_path, "1.1"),), (make_document(tmp_path, "1.2", SECONDARY_CAPTURE),)]
    with archiving(SECONDARY_CAPTURE) as (pacs, _):
        with pytest.raises(DeliveryRefused, match=r"none of the SOP classes of 1\.1.*Comprehensive 3D SR") as caught:
            deliver(documents, pacs, calling_ae_title="QAGATE")
        with pytest.raises(DeliveryRefused, match="none of the proposed SOP classes"):
            deliver(documents[:1], pacs, calling_ae_title="QAGATE")
    assert caught.value.receipts == (Receipt("1.2", "stored", 0),)


def test_uncompressed_fallback(tmp_path: Path) -> None:
    report = make_document(tmp_path, "1.1")
    with archiving(syntaxes=[ImplicitVRLittleEndian]) as (pacs, archive):
        deliver([(report,)], pacs, calling_ae_title="QAGATE")
    assert archive.syntaxes == [ImplicitVRLittleEndian]


def test_a_file_is_sent_in_its_own_transfer_syntax_where_that_is_taken() -> None:
    path = Path(pydicom.data.__file__).parent / "test_files" / "JPEG2000-embedded-sequence-delimiter.dcm"
    own = str(dcmread(path).file_meta.TransferSyntaxUID)
    sop_class = str(dcmread(path).SOPClassUID)
    with archiving(sop_class, syntaxes=[own, ExplicitVRLittleEndian]) as (pacs, archive):
        deliver([(path,)], pacs, calling_ae_title="QAGATE")
    assert archive.syntaxes == [own]
    assert archive.received[0].PixelData == dcmread(path).PixelData


def test_a_compressed_file_is_decompressed_for_a_peer_that_cannot() -> None:
    path = Path(pydicom.data.__file__).parent / "test_files" / "MR_small_jp2klossless.dcm"
    original = dcmread(path)
    assert original.file_meta.TransferSyntaxUID == JPEG2000Lossless
    with archiving(str(original.SOPClassUID)) as (pacs, archive):
        deliver([(path,)], pacs, calling_ae_title="QAGATE")
    assert archive.syntaxes == [ExplicitVRLittleEndian]
    assert archive.uids == [original.SOPInstanceUID]
    assert len(archive.received[0].PixelData) == original.Rows * original.Columns * 2


@pytest.mark.parametrize("folder", ["", "not mounted"])
def test_a_document_on_a_disk_that_is_away_is_tried_again_and_one_that_is_gone_is_not(
    tmp_path: Path, folder: str
) -> None:
    """Both were parked, and what waited needed a person when the disk was there again."""
    kind = DeliveryError if folder else ReportError
    with archiving() as (pacs, _), pytest.raises(kind, match="must be readable"):
        deliver([(tmp_path / folder / "1.dcm",)], pacs, calling_ae_title="QAGATE")


@pytest.mark.parametrize("content", [None, b"", b"hello" * 100])
def test_documents_that_are_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.dcm"
    if content is not None:
        path.write_bytes(content)
    with archiving() as (pacs, _), pytest.raises(ReportError, match=r"x\.dcm"):
        deliver([(path,)], pacs, calling_ae_title="QAGATE")


# associations that fail


def nowhere(**more: Any) -> Destination:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Destination(**{"name": "gone", "ae_title": "X", "host": "127.0.0.1", "port": port, **more})


@pytest.mark.parametrize("more", [{}, {"host": "no.such.host.invalid"}])
def test_unreachable(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(Unreachable, match="destination gone") as caught:
        deliver([(make_document(tmp_path, "1.1"),)], nowhere(**more), calling_ae_title="QAGATE")
    assert caught.value.retryable
    assert caught.value.receipts == ()
    with pytest.raises(Unreachable):
        echo(nowhere(**more), "QAGATE")


def test_a_peer_that_accepts_and_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        peer = nowhere(port=mute.getsockname()[1], timeout_seconds=0.5)
        with pytest.raises(Unreachable, match="got no answer"):
            echo(peer, "QAGATE")


def test_a_peer_that_never_answers_a_message(tmp_path: Path) -> None:
    hold = threading.Event()
    documents = [(make_document(tmp_path, "1.1"),), (make_document(tmp_path, "1.2"),)]

    def slow(data_set: Any, event: Any) -> int:
        if data_set.SOPInstanceUID == "1.2":
            hold.wait(10)
        return 0x0000

    with archiving(timeout_seconds=0.5) as (pacs, archive):
        archive.answer = slow
        with pytest.raises(Unreachable, match=r"within 0\.5 s") as caught:
            deliver(documents, pacs, calling_ae_title="QAGATE")
        hold.set()
    assert caught.value.receipts == (Receipt("1.1", "stored", 0),)


def test_rejected_association() -> None:
    with (
        archiving() as (pacs, _),
        pytest.raises(AssociationRejected, match=r"from QAGATE.*Called AE title not recogni") as caught,
    ):
        echo(pacs.model_copy(update={"ae_title": "WRONG"}), "QAGATE")
    assert caught.value.retryable


def test_aborted_after_the_first_document(tmp_path: Path) -> None:
    documents = [(make_document(tmp_path, f"1.{number}"),) for number in (1, 2, 3)]

    def abort(data_set: Any, event: Any) -> int:
        if data_set.SOPInstanceUID == "1.2":
            event.assoc.abort()
            time.sleep(0.2)
        return 0x0000

    with archiving() as (pacs, archive):
        archive.answer = abort
        with pytest.raises(AssociationRejected, match="broke the association off") as caught:
            deliver(documents, pacs, calling_ae_title="QAGATE")
    assert caught.value.receipts == (Receipt("1.1", "stored", 0),)


def test_aborted_during_negotiation() -> None:
    def abort(event: Any) -> None:
        event.assoc.abort(block=False)

    with (
        archiving(handlers=[(evt.EVT_REQUESTED, abort)], timeout_seconds=3) as (pacs, _),
        pytest.raises((AssociationRejected, Unreachable)),
    ):
        echo(pacs, "QAGATE")


# questions


def test_echo_tells_the_time() -> None:
    with archiving() as (pacs, _):
        assert 0 < echo(pacs, "QAGATE") < 5000


def test_echo_that_fails() -> None:
    with (
        archiving(handlers=[(evt.EVT_C_ECHO, lambda event: 0x0210)]) as (pacs, _),
        pytest.raises(DeliveryError, match="0x0210"),
    ):
        echo(pacs, "QAGATE")


def test_the_socket_does_not_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    options = []
    real = socket.socket.setsockopt

    def watch(self: socket.socket, *arguments: Any) -> None:
        options.append(arguments)
        real(self, *arguments)

    monkeypatch.setattr(socket.socket, "setsockopt", watch)
    with archiving() as (pacs, _):
        echo(pacs, "QAGATE")
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options


def test_which_sop_classes_are_accepted() -> None:
    asked = [COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, SECONDARY_CAPTURE]
    with archiving(COMPREHENSIVE_SR, SECONDARY_CAPTURE) as (pacs, archive):
        answer = accepted_sop_classes(pacs, "QAGATE", asked)
        assert archive.received == []
    assert answer == {
        COMPREHENSIVE_SR: (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
        SECONDARY_CAPTURE: (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    }


def test_asking_for_more_than_one_association_can_carry() -> None:
    asked = [f"1.2.826.0.1.{number}" for number in range(150)] + [COMPREHENSIVE_SR]
    with archiving(COMPREHENSIVE_SR) as (pacs, archive):
        assert list(accepted_sop_classes(pacs, "QAGATE", asked)) == [COMPREHENSIVE_SR]
        assert archive.associations == 3  # 302 contexts, 127 at a time


def test_a_peer_that_takes_nothing_is_no_failure() -> None:
    with archiving(SECONDARY_CAPTURE) as (pacs, _):
        assert accepted_sop_classes(pacs, "QAGATE", [COMPREHENSIVE_3D_SR]) == {}
