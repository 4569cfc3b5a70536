"""Delivery to a real Orthanc (C-STORE, STOW-RS, storage commitment) and to dcmtk's storescp."""

from __future__ import annotations

from pathlib import Path

import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from qagate.deliver.commitment import request
from qagate.deliver.destination import Receipt, accepted_sop_classes, deliver, echo
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, Unreachable
from qagate.settings import Destination
from tests.peers import dcmtk
from tests.peers.orthanc import Orthanc, available
from tests.unit.deliver.archive import COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, SECONDARY_CAPTURE, make_document

pytestmark = [pytest.mark.peers, pytest.mark.skipif(not available(), reason="Orthanc is not installed")]

FILES = Path(pydicom.data.__file__).parent / "test_files"
REAL = [FILES / name for name in ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "reportsi.dcm")]


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


@pytest.fixture(autouse=True)
def emptied(pacs: Orthanc) -> None:
    for patient in pacs.get("/patients"):
        pacs.delete(f"/patients/{patient}")


def dimse(pacs: Orthanc, **more: object) -> Destination:
    return Destination(**{"name": "pacs", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.port, **more})


def stow(pacs: Orthanc, **more: object) -> Destination:
    return Destination(**{"name": "web", "kind": "stow", "url": pacs.dicomweb_url, **more})


@pytest.mark.parametrize("destination_of", [dimse, stow])
def test_documents_arrive_unchanged(pacs: Orthanc, destination_of, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    receipts = deliver([(path,) for path in REAL], destination_of(pacs), calling_ae_title="QAGATE")
    originals = [dcmread(path) for path in REAL]
    assert receipts == tuple(Receipt(str(original.SOPInstanceUID), "stored", 0) for original in originals)
    for original in originals:
        (instance,) = pacs.find(SOPInstanceUID=str(original.SOPInstanceUID))
        copy = tmp_path / "copy.dcm"
        copy.write_bytes(pacs.file(instance))
        stored = dcmread(copy)
        assert stored.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert stored == original


@pytest.mark.parametrize("destination_of", [dimse, stow])
def test_again_is_no_failure(pacs: Orthanc, destination_of) -> None:  # type: ignore[no-untyped-def]
    for _ in range(2):
        (receipt,) = deliver([(REAL[0],)], destination_of(pacs), calling_ae_title="QAGATE")
        assert receipt.status in ("stored", "warning")
    assert len(pacs.find()) == 1


def test_variants(pacs: Orthanc, tmp_path: Path) -> None:
    variants = (make_document(tmp_path, "2.25.34"), make_document(tmp_path, "2.25.33", COMPREHENSIVE_SR))
    assert deliver([variants], dimse(pacs), calling_ae_title="Q") == (Receipt("2.25.34", "stored", 0),)
    unknown = (make_document(tmp_path, "2.25.1", "1.2.826.0.1.3680043.99.1"), variants[1])
    assert deliver([unknown], dimse(pacs), calling_ae_title="Q") == (Receipt("2.25.33", "stored", 0),)


def test_preflight(pacs: Orthanc) -> None:
    assert echo(dimse(pacs), "QAGATE") > 0
    assert echo(stow(pacs), "QAGATE") > 0
    asked = [COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, "1.2.826.0.1.3680043.99.1"]
    accepted = accepted_sop_classes(dimse(pacs), "QAGATE", asked)
    assert accepted == {
        COMPREHENSIVE_3D_SR: (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
        SECONDARY_CAPTURE: (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    }
    assert pacs.find() == []


def test_what_goes_wrong(pacs: Orthanc, tmp_path: Path) -> None:
    with pytest.raises(AssociationRejected, match="Called AE title not recognised"):
        deliver([(REAL[0],)], dimse(pacs, ae_title="WRONG"), calling_ae_title="QAGATE")
    with pytest.raises(DeliveryError, match="404"):
        deliver([(REAL[0],)], stow(pacs, url=f"{pacs.url}/nowhere"), calling_ae_title="QAGATE")
    private = make_document(tmp_path, "2.25.1", "1.2.826.0.1.3680043.99.1")
    with pytest.raises(DeliveryRefused):
        deliver([(private,)], dimse(pacs), calling_ae_title="QAGATE")
    pacs.pause()
    try:
        with pytest.raises(Unreachable, match="got no answer"):
            deliver([(REAL[0],)], dimse(pacs, timeout_seconds=0.5), calling_ae_title="QAGATE")
        with pytest.raises(Unreachable):
            deliver([(REAL[0],)], stow(pacs, timeout_seconds=0.5), calling_ae_title="QAGATE")
    finally:
        pacs.resume()
    assert deliver([(REAL[1],)], dimse(pacs), calling_ae_title="QAGATE")[0].status == "stored"


def test_commitment_from_a_stranger_is_not_answered(pacs: Orthanc) -> None:
    # it answers only AE titles that it has an address for; the request then fails or stays without a result
    try:
        result = request(
            dimse(pacs), [(COMPREHENSIVE_3D_SR, "1.2.3")], calling_ae_title="STRANGER", transaction_uid="2.25.1"
        )
    except DeliveryError:
        result = None
    assert result is None


@pytest.mark.skipif(not dcmtk.available(), reason="dcmtk is not installed")
def test_storescp(tmp_path: Path) -> None:
    with dcmtk.StoreScp(tmp_path / "store") as store:
        destination = Destination(name="dcmtk", ae_title="DCMTKSCP", host="127.0.0.1", port=store.port)
        receipts = deliver([(path,) for path in REAL], destination, calling_ae_title="QAGATE")
        assert [receipt.status for receipt in receipts] == ["stored"] * len(REAL)
        assert len(store.files()) == len(REAL)
