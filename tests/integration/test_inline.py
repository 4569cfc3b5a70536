"""Inline, with real parts: dcmtk is the scanner, `qagate serve` is the gate, Orthanc and storescp are the PACS."""

from __future__ import annotations

import contextlib
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError
from pydicom.uid import RLELossless
from pynetdicom.dsutils import split_dataset

from qagate.deliver.peer import Requestor
from tests.integration.node import ServedNode
from tests.peers import dcmtk
from tests.peers.asker import Asker
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.orthanc import available as orthanc_available

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not (orthanc_available() and dcmtk.available()), reason="needs Orthanc and dcmtk"),
]

ROOT = "1.2.826.0.1.3680043.8.498.78"
HOLD_SECONDS = 25


@dataclass(frozen=True)
class Site:
    node: ServedNode
    orthanc: Orthanc
    vault: dcmtk.StoreScp
    scanner: Asker


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gate in front of an Orthanc that commits, and of a storescp that keeps every bit as it comes."""
    folder = tmp_path_factory.mktemp("inline")
    port = dcmtk.free_port()
    with (
        Asker() as scanner,
        dcmtk.StoreScp(folder / "vault", options=["+B"]) as vault,
        Orthanc(folder / "orthanc", modalities={"qagate": Modality("QAGATE", port)}) as orthanc,
        ServedNode(
            folder / "node",
            port=port,
            destinations=[
                {"name": "PACS", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": orthanc.port, "commitment": True,
                 "originals": True, "documents": ["SR"]},
                {"name": "VAULT", "ae_title": "DCMTKSCP", "host": "127.0.0.1", "port": vault.port, "documents": [],
                 "originals": True, "sent_is_kept": True},
            ],
            sections={
                "policies": [
                    {"name": "free", "match": {"ae_title": ["FREE"]}},
                    # everything that has a score is flagged, so that it waits
                    {"name": "gate", "action": "hold", "hold_seconds": HOLD_SECONDS, "review_below": 100},
                ],
                "node": {"peers": [{"ae_title": "SCANNER", "host": "127.0.0.1", "port": scanner.port}]},
            },
        ) as node,
    ):  # fmt: skip
        yield Site(node, orthanc, vault, scanner)


def series(folder: Path, number: int, images: int = 12, **tags: Any) -> list[Path]:
    """Write a small MR brain series that the model can score."""
    noise = np.random.default_rng(number)
    paths = []
    for index in range(images):
        dataset = pydicom.dcmread(str(get_testdata_file("MR_small.dcm", download=False)))
        pixels = dataset.pixel_array.astype(np.int32) + noise.integers(0, 40, (64, 64))
        dataset.PixelData = pixels.astype("<i2").tobytes()
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.{number}", f"{ROOT}.{number}.1"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{number}.1.{index + 1}"
        dataset.InstanceNumber = index + 1
        dataset.PixelSpacing, dataset.SliceThickness = [3.0, 3.0], "5"
        dataset.ImagePositionPatient = [-96.0, -96.0, 5.0 * index]
        dataset.SeriesDescription, dataset.BodyPartExamined = "t2 tse brain", "BRAIN"
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        paths.append(folder / f"{number}-{index}.dcm")
        dataset.save_as(paths[-1])
    return paths


def send(site: Site, paths: list[Path], calling: str = "SCANNER") -> None:
    assert dcmtk.dcmsend(paths, port=site.node.port, calling=calling).returncode == 0


def send_as_they_are(site: Site, paths: list[Path]) -> None:
    """Send the bytes of files."""
    entity = Requestor("SCANNER")
    first = pydicom.dcmread(paths[0])
    entity.add_requested_context(first.SOPClassUID, first.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", site.node.port, ae_title="QAGATE")
    assert [association.send_c_store(path).Status for path in paths] == [0x0000] * len(paths)
    association.release()


def at_orthanc(site: Site, number: int) -> list[str]:
    return site.orthanc.find("Instance", SeriesInstanceUID=f"{ROOT}.{number}.1")


def digest(path: Path) -> str:
    """Return the digest of the data set in a file, whatever file meta information stands before it."""
    _, offset = split_dataset(path)
    return hashlib.sha256(path.read_bytes()[offset:]).hexdigest()


def in_vault(site: Site, number: int) -> dict[str, str]:
    """Return SOP Instance UID → digest of what storescp got, bit for bit."""
    found = {}
    for path in site.vault.files():
        if f"{ROOT}.{number}.1." in path.name:
            with contextlib.suppress(InvalidDicomError, EOFError, AttributeError):  # it is being written
                found[str(pydicom.dcmread(path).SOPInstanceUID)] = digest(path)
    return found


def received(site: Site, number: int) -> dict[str, str]:
    """Return SOP Instance UID → digest of what came over the wire, as the node noted it."""
    folder = site.node.folder / "data" / "spool" / f"{ROOT}.{number}.1"
    return {p.stem: digest(p) for p in folder.glob("*.dcm")}


def same_at_orthanc(site: Site, number: int, folder: Path) -> None:
    """Orthanc must have the data sets as they came over the wire to the node."""
    for instance in at_orthanc(site, number):
        path = folder / "orthanc.dcm"
        path.write_bytes(site.orthanc.file(instance))
        assert digest(path) == received(site, number)[str(pydicom.dcmread(path).SOPInstanceUID)]


def everywhere(site: Site, number: int, images: int) -> bool:
    return len(at_orthanc(site, number)) == images and len(in_vault(site, number)) == images


def released(site: Site, number: int) -> str:
    found = site.node.series(f"{ROOT}.{number}.1")
    assert found is not None
    return str(found["images"]["held"]["cause"])


def post(site: Site, path: str, body: dict[str, str]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.node.web_port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_held_images_wait_for_a_person_and_arrive_byte_for_byte_and_commitment_waits_with_them(
    site: Site, tmp_path: Path
) -> None:
    paths = series(tmp_path, 1)
    send(site, paths)
    uid = f"{ROOT}.1.1"
    instances = [(str(d.SOPClassUID), str(d.SOPInstanceUID)) for d in map(pydicom.dcmread, paths)]
    transaction, status = site.scanner.ask(site.node.port, instances)
    assert status == 0x0000
    found = site.node.wait_for_state(uid, "delivered", "scored")
    assert (found["verdict"], found["holding"]) == ("review", "held")
    assert found["held_until"]
    assert at_orthanc(site, 1) == []
    assert in_vault(site, 1) == {}
    assert site.scanner.answer(transaction, 0) is None
    assert post(site, f"/api/v1/series/{uid}/release", {"reason": "looked at it"})["holding"] == "released"
    site.node.wait(lambda: everywhere(site, 1, 12), 20, "12 images at both destinations")
    # storescp keeps bits as they come; Orthanc keeps the data set as it came
    assert in_vault(site, 1) == received(site, 1)
    assert len(received(site, 1)) == 12
    same_at_orthanc(site, 1, tmp_path)
    said = site.scanner.answer(transaction, 30)
    assert said is not None
    assert {i.ReferencedSOPInstanceUID for i in said.ReferencedSOPSequence} == {u for _, u in instances}
    assert "FailedSOPSequence" not in said
    trail = (site.node.series(uid) or {})["events"]
    assert "looked at it" in next(e["detail"] for e in trail if e["what"] == "released")


def test_what_nobody_releases_goes_when_its_time_is_over(site: Site, tmp_path: Path) -> None:
    send(site, series(tmp_path, 2))
    found = site.node.wait_for_state(f"{ROOT}.2.1", "delivered", "scored")
    assert found["holding"] == "held"
    assert at_orthanc(site, 2) == []
    site.node.wait(lambda: everywhere(site, 2, 12), HOLD_SECONDS + 15, "the deadline")
    assert released(site, 2) == "deadline"
    assert in_vault(site, 2) == received(site, 2)


def test_what_must_not_wait_does_not(site: Site, tmp_path: Path) -> None:
    send(site, series(tmp_path, 3, 3, RequestedProcedurePriority="STAT"))
    send(site, series(tmp_path, 4, 3), calling="FREE")
    shot = series(tmp_path, 5, 1, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    send(site, shot)
    packed = series(tmp_path, 7, 3, RequestedProcedurePriority="STAT")
    for path in packed:
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    send_as_they_are(site, packed)  # dcmsend would encode them anew
    for number, images in ((3, 3), (4, 3), (5, 1), (7, 3)):
        site.node.wait(lambda n=number, i=images: everywhere(site, n, i), 20, f"series {number}")
        site.node.wait(lambda n=number: in_vault(site, n) == received(site, n), 5, f"the bytes of series {number}")
    assert (released(site, 3), released(site, 4), released(site, 7)) == ("stat", "no_policy", "stat")
    same_at_orthanc(site, 7, tmp_path)
    assert received(site, 7) == {str(pydicom.dcmread(path).SOPInstanceUID): digest(path) for path in packed}
    (folder,) = {path.parent for path in site.vault.files() if f"{ROOT}.7.1." in path.name}
    syntaxes = {pydicom.dcmread(p).file_meta.TransferSyntaxUID for p in folder.iterdir() if f"{ROOT}.7.1." in p.name}
    assert syntaxes == {RLELossless}  # nothing was decompressed on the way


def test_nothing_is_promised_that_nobody_has(site: Site, tmp_path: Path) -> None:
    paths = series(tmp_path, 6, 2, RequestedProcedurePriority="STAT")
    send(site, paths)
    sop_class = "1.2.840.10008.5.1.4.1.1.4"
    transaction, status = site.scanner.ask(
        site.node.port, [(sop_class, f"{ROOT}.6.1.1"), ("1.2.840.10008.5.1.4.1.1.2", f"{ROOT}.6.1.2")]
    )
    assert status == 0x0000
    said = site.scanner.answer(transaction, 40)
    assert said is not None
    assert [i.ReferencedSOPInstanceUID for i in said.ReferencedSOPSequence] == [f"{ROOT}.6.1.1"]
    assert [int(i.FailureReason) for i in said.FailedSOPSequence] == [0x0119]
    # who has no port to be answered on is told so at once
    assert site.scanner.ask(site.node.port, [(sop_class, f"{ROOT}.6.1.1")], calling="STRANGER")[1] == 0x0124
