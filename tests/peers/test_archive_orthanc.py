"""A real Orthanc is asked what it has, and hands over what we lack: by C-FIND, C-MOVE, C-GET, QIDO-RS and WADO-RS."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from qagate.clock import SystemClock
from qagate.deliver.archive import Archive, ArchivedSeries
from qagate.domain.step import PerformedStep, StepState
from qagate.errors import DeliveryError
from qagate.receive import part10
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.settings import Destination, Node, Settings
from qagate.store import completion, reception
from qagate.store.database import Database
from qagate.work.completing import Completing
from tests.crash.sending import MR_IMAGE, series, sha256
from tests.peers.dcmtk import free_port
from tests.peers.orthanc import Modality, Orthanc, available

pytestmark = [pytest.mark.peers, pytest.mark.skipif(not available(), reason="Orthanc is not installed")]

IMAGES = series(1, 4)
STUDY, SERIES = str(IMAGES[0].StudyInstanceUID), str(IMAGES[0].SeriesInstanceUID)
UIDS = [str(image.SOPInstanceUID) for image in IMAGES]
DAY = str(IMAGES[0].StudyDate)


class Place:
    """An Orthanc with one series of four images, and a receiver of ours that it may send to."""

    def __init__(self, folder: Path) -> None:
        self.stored: list[str] = []
        self.port = free_port()
        self.spool = Spool(folder / "spool", 0)
        self.orthanc = Orthanc(folder / "orthanc", modalities={"qagate": Modality("QAGATE", self.port)},
                               overrides={"DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True})  # fmt: skip

    def destination(self, retrieve: str = "no", **more: object) -> Destination:
        """Return it as a destination, of the kind that the way to retrieve needs."""
        if retrieve == "wado-rs" or more.pop("web", False):
            url = self.orthanc.dicomweb_url
            return Destination(name="web", kind="stow", url=url, retrieve=retrieve, **more)
        return Destination(
            name="pacs", ae_title="ORTHANC", host="127.0.0.1", port=self.orthanc.port, retrieve=retrieve, **more
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("archive"))
    node = Node(host="127.0.0.1", port=made.port, accept_unknown_peers=True)
    receiver = Receiver(node, made.spool, lambda i: made.stored.append(i.sop_instance_uid), lambda e: None)
    with made.orthanc, receiver:
        for image in IMAGES:
            made.orthanc.post("/instances", as_file(image))
        yield made


def as_file(image: Dataset) -> bytes:
    """Return an image as a Part 10 file."""
    buffer = io.BytesIO()
    image.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("web", [False, True], ids=["C-FIND", "QIDO-RS"])
def test_what_it_has(place: Place, web: bool) -> None:
    archive = Archive(place.destination(web=web), "QAGATE")
    assert archive.count(STUDY, SERIES) == 4
    assert archive.instances(STUDY, SERIES) == set(UIDS)
    there = ArchivedSeries(STUDY, SERIES, "MR", "t2 tse brain", DAY, str(IMAGES[0].StudyTime), 4)
    assert archive.series_of(DAY) == archive.series_of(DAY, ("CT", "MR")) == (there,)
    assert archive.series_of(DAY, ("CT",)) == ()
    assert archive.count(STUDY, "1.2.3.4.5") == 0
    assert archive.count("1.2.3.4", "1.2.3.4.5") == 0
    assert archive.instances("1.2.3.4", "1.2.3.4.5") == set()
    assert archive.series_of("19000101") == ()


@pytest.mark.parametrize("retrieve", ["c-get", "wado-rs"])
def test_images_are_handed_over_as_they_are(place: Place, retrieve: str) -> None:
    kept: list[bytes] = []
    archive = Archive(place.destination(retrieve), "QAGATE")
    came = archive.retrieve(STUDY, SERIES, UIDS[:2], sop_class_uids=[MR_IMAGE], keep=kept.append)
    assert came == len(kept) == 2
    for part in kept:
        meta, offset = part10.decode(io.BytesIO(part))
        image = IMAGES[UIDS.index(meta.sop_instance_uid)]
        assert meta.transfer_syntax_uid == image.file_meta.TransferSyntaxUID
        came_over, original = dcmread(io.BytesIO(part)), dcmread(io.BytesIO(as_file(image)))
        if retrieve == "c-get":  # for which Orthanc encodes anew: without the padding behind the pixels
            del original.DataSetTrailingPadding
        assert came_over == original
        assert sha256(came_over) == sha256(original)
        assert offset > 132


def test_images_come_to_our_receiver(place: Place) -> None:
    place.stored.clear()
    archive = Archive(place.destination("c-move"), "QAGATE")
    archive.retrieve(STUDY, SERIES, UIDS[2:], sop_class_uids=[], keep=lambda part: None)
    end = time.monotonic() + 30
    while len(place.stored) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert set(place.stored) == set(UIDS[2:])


@pytest.mark.parametrize("web", [False, True], ids=["dimse", "web"])
def test_an_archive_that_is_not_there_is_a_delivery_error(web: bool) -> None:
    port = free_port()
    if web:
        away = Destination(name="web", kind="stow", url=f"http://127.0.0.1:{port}/x")
    else:
        away = Destination(name="pacs", ae_title="ORTHANC", host="127.0.0.1", port=port)
    with pytest.raises(DeliveryError):
        Archive(away, "QAGATE").count(STUDY, SERIES)


@pytest.mark.parametrize("retrieve", ["c-get", "wado-rs"])
def test_missing_images_are_fetched_into_the_spool_and_complete_the_list(
    place: Place, retrieve: str, tmp_path: Path
) -> None:
    settings = Settings.model_validate(
        {
            "storage": {"data_dir": tmp_path, "reserve_mb": 0},
            "completion": {"quiet_seconds": 0},
            "destinations": [place.destination(retrieve).model_dump()],
        }
    )
    database, clock = Database.open(settings.database_url), SystemClock()
    completing = Completing(settings, database, clock)
    completing._keep(as_file(IMAGES[0]), "CT1")
    with database.begin() as session:
        listed = PerformedStep("9.9", StepState.COMPLETED, clock.now(), series={SERIES: tuple(UIDS)})
        assert completion.set_step(session, listed) == "taken"
    (before,) = completing.waiting()
    assert (before.decision.missing, before.decision.retrieve) == (3, True)
    completing.inquire()
    (after,) = completing.waiting()
    assert (after.decision.complete, after.decision.signal, after.arrival.instances) == (True, "mpps", 4)
    with database.read() as session:
        assert reception.source_of(session, SERIES) == "CT1"  # not the archive
    assert sorted(path.stem for path in settings.spool_dir.rglob("*.dcm")) == sorted(UIDS)
    database.close()
