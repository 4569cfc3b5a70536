"""A real Orthanc is scored afterwards, by every way to fetch and with a kill in the middle: once each, in silence."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from qagate.store.database import Database
from qagate.store.tables import BackfillSeriesRow, DocumentRow, InstanceRow, RevisionRow, SeriesRow
from tests.crash.node import Node
from tests.crash.sending import Sender, series
from tests.peers.dcmtk import free_port
from tests.peers.orthanc import Modality, Orthanc, available
from tests.peers.test_archive_orthanc import as_file

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not available(), reason="Orthanc is not installed"),
]

WAYS = ("c-get", "c-move", "wado-rs")
EACH = 3
IMAGES = 2


class Place:
    """An Orthanc that holds EACH series for each way, and a node beside it."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.orthanc = Orthanc(
            folder / "orthanc",
            modalities={"qagate": Modality("QAGATE", port)},
            overrides={"DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True},
        )
        pacs = {"name": "pacs", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": self.orthanc.port}
        web = {"name": "web", "kind": "stow", "url": self.orthanc.dicomweb_url, "documents": ["SR"]}
        self.node = Node(folder / "node", destinations=[pacs | {"documents": ["SC"]}, web], port=port)

    def command(self, way: str, *more: str) -> list[str]:
        archive = "web" if way == "wado-rs" else "pacs"
        return [
            sys.executable, "-m", "qagate", "backfill", "run", way, "--from", archive, "--by", way,
            "--since", "2004-08-25", "--until", "2004-08-27", "--description", f"{way.upper()}*",
            "--config", str(self.node.config), *more,
        ]  # fmt: skip

    def run(self, way: str, *more: str) -> None:
        done = subprocess.run(self.command(way, *more), capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.node.log()}"
        assert "done" in done.stderr.splitlines()[-1]

    def rows(self, way: str) -> list[BackfillSeriesRow]:
        database = Database.open(self.node.database_url, migrate=False)
        with database.read() as session:
            found = session.scalars(
                select(BackfillSeriesRow).where(BackfillSeriesRow.description.startswith(way))
            ).all()
        database.close()
        return list(found)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("backfill"))
    with made.orthanc, made.node:
        for number, way in enumerate(WAYS * EACH, 1):
            for image in series(number, IMAGES):
                image.SeriesDescription = f"{way} {number}"
                made.orthanc.post("/instances", as_file(image))
        yield made


@pytest.mark.parametrize("way", WAYS)
def test_every_series_is_judged_once_and_nobody_is_told(place: Place, way: str) -> None:
    begun = subprocess.Popen(place.command(way, "--ahead", "1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 200
    while not any(row.state in ("fetching", "fetched") for row in place.rows(way)):
        assert time.monotonic() < end, place.node.log()
        time.sleep(0.01)
    begun.kill()
    begun.wait()
    place.run(way)
    if way == "c-get":
        place.run(way)  # it has ended: nothing is done twice
    wanted = place.rows(way)
    assert [row.state for row in wanted] == ["fetched"] * EACH
    database = Database.open(place.node.database_url, migrate=False)
    with database.read() as session:
        for row in wanted:
            one = session.get_one(SeriesRow, row.series_instance_uid)
            revisions = session.scalars(
                select(RevisionRow).where(RevisionRow.series_instance_uid == row.series_instance_uid)
            ).all()
            documents = select(DocumentRow).where(DocumentRow.revision_id == revisions[0].id)
            images = select(InstanceRow).where(InstanceRow.series_instance_uid == row.series_instance_uid)
            assert len(session.scalars(images).all()) == one.instances == IMAGES
            assert [(r.completed_by, r.state, r.missing) for r in revisions] == [("backfill", "reported", 0)]
            assert one.state == "delivered"
            assert one.outcome != ""
            assert one.last_instance_at == row.study_at  # among its own, and no news
            assert session.scalars(documents).all() == []
    database.close()
    assert place.orthanc.find("Series", Modality="SR") == []


def test_results_and_status(place: Place) -> None:
    config = ["--config", str(place.node.config)]
    qagate = [sys.executable, "-m", "qagate"]
    listed = subprocess.run(
        [*qagate, "backfill", "results", "c-get", *config], capture_output=True, text=True, check=True
    )
    lines = list(csv.DictReader(io.StringIO(listed.stdout)))
    assert len(lines) == EACH
    for line in lines:
        assert line["description"].startswith("c-get")
        assert line["verdict"] in ("accept", "review", "reject", "unscored")
        assert line["images"] == str(IMAGES)
    assert "PatientName" not in listed.stdout
    told = subprocess.run([*qagate, "status", *config], capture_output=True, text=True, check=True).stdout
    assert f"c-get: day 3 of 3 · {EACH} series found · {EACH} judged" in told
    assert "takes score deliver on cpu" in told


def test_what_a_scanner_sends_is_reported_as_ever_and_left_alone(place: Place) -> None:
    (first, *rest) = series(50, IMAGES)
    for image in (first, *rest):
        image.SeriesDescription = "both"
        place.orthanc.post("/instances", as_file(image))
    Sender(place.node.port).send([first, *rest])
    place.node.wait(lambda: len(place.orthanc.find("Series", Modality="SR")) == 1, 200, "its report")
    command = place.command("c-get")
    command[5], command[command.index("--description") + 1] = "again", "both"
    subprocess.run(command, check=True, timeout=240, capture_output=True)
    assert [row.state for row in place.rows("both")] == ["known"]


def test_another_query_under_the_same_name_is_refused(place: Place) -> None:
    command = place.command("c-get")
    command[command.index("--until") + 1] = "2004-08-30"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 2
    assert "take another name" in done.stderr
