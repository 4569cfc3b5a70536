"""The main job, with real parts: dcmtk sends, `qagate serve` judges, a real Orthanc keeps the documents."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import select

from qagate.demo.samples import samples
from qagate.store.tables import AssessmentRow, RevisionRow
from tests.integration.node import ServedNode
from tests.peers import dcmtk, validators
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.orthanc import available as orthanc_available

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not (orthanc_available() and dcmtk.available()), reason="needs Orthanc and dcmtk"),
]

LUA = """
function OnStableSeries(seriesId, tags, metadata)
  if tags['Modality'] ~= 'CT' and tags['Modality'] ~= 'MR' then return end
  if metadata['RemoteAET'] == 'QAGATE' then return end
  local body = { Resources = { seriesId }, Asynchronous = true }
  RestApiPost('/modalities/qagate/store', DumpJson(body, true))
end
"""

REAL_SERIES = ("ct_missing_slice_ge", "mr_brain_sag_skyra", "mr_generic_rle", "ct_exam_summary_sc", "mr_knee_localizer")
"""A few real series: a fault, a plain one, a compressed one, one that has no score, a localiser."""


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedNode, Orthanc]]:
    """A node and an Orthanc that know each other; Orthanc routes what it gets to the node by itself."""
    folder = tmp_path_factory.mktemp("peers")
    port = dcmtk.free_port()
    with (
        Orthanc(folder / "orthanc", modalities={"qagate": Modality("QAGATE", port)}, lua=LUA) as orthanc,
        ServedNode(
            folder / "node",
            port=port,
            destinations=[
                {"name": "PACS", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": orthanc.port, "commitment": True}
            ],
        ) as node,
    ):
        yield node, orthanc


def series_files(data: Path | None, folder: Path) -> dict[str, list[Path]]:
    """Return real series by UID: the development data when present, else what installed packages carry."""
    files: list[Path] = []
    if data is not None:
        files = [
            p for name in REAL_SERIES for p in sorted((data / "dicom" / "series" / name).rglob("*")) if p.is_file()
        ]
    else:
        files = [Path(str(get_testdata_file(name, download=False))) for name in ("CT_small.dcm", "MR_small.dcm")]
        for sample in samples(folder):
            if "brain" in sample.name.lower():
                files += sample.paths
                break
    grouped: dict[str, list[Path]] = {}
    for path in files:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        if "SeriesInstanceUID" in header:
            grouped.setdefault(str(header.SeriesInstanceUID), []).append(path)
    return grouped


def documents_of(orthanc: Orthanc, study: str, about: Collection[str]) -> dict[str, list[pydicom.Dataset]]:
    """Return the documents that Orthanc holds in a study about some SOP Instance UIDs, by modality."""
    found: dict[str, list[pydicom.Dataset]] = {"SR": [], "OT": [], "KO": []}
    for instance in orthanc.find("Instance", StudyInstanceUID=study):
        dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(orthanc.file(instance)))
        # every document refers to the images it is about
        if dataset.Modality in found and any(uid in dataset.to_json() for uid in about):
            found[dataset.Modality].append(dataset)
    return found


def test_every_series_gets_its_documents(peers: tuple[ServedNode, Orthanc], tmp_path: Path) -> None:
    node, orthanc = peers
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    grouped = series_files(shared if shared.is_dir() else None, tmp_path)
    assert grouped
    for files in grouped.values():
        sent = dcmtk.dcmsend(files, port=node.port)
        assert sent.returncode == 0, sent.output
    template_checked = False
    for uid, files in grouped.items():
        images = {str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID) for p in files}
        found = node.wait_for_state(uid, "delivered")
        judged = found["revisions"][0]
        study = found["study_instance_uid"]
        held = documents_of(orthanc, study, images)
        flagged = found["verdict"] in ("review", "reject")
        assert {kind: len(documents) for kind, documents in held.items()} == {"SR": 1, "OT": 1, "KO": int(flagged)}

        # every document is in order, and says what the database and the API say
        assert [d["kind"] for d in judged["documents"]] == ["SR", "SC", "KO"][: 2 + flagged]
        for documents in held.values():
            for dataset in documents:
                assert dataset.StudyInstanceUID == study
                path = tmp_path / "document.dcm"
                dataset.save_as(path, enforce_file_format=True)
                assert validators.dciodvfy(path) == []
                if dataset.Modality == "SR" and not template_checked:
                    assert validators.pixelmed(path) == []  # half a minute: the first report stands for all
                    template_checked = True
        with node.database().begin() as session:
            rows = session.scalars(
                select(AssessmentRow).join(RevisionRow).where(RevisionRow.series_instance_uid == uid)
            ).all()
            assert [row.document for row in rows] == judged["assessments"]
        ratings = [
            round(float(item.MeasuredValueSequence[0].NumericValue), 1)
            for group in walk(held["SR"][0])
            for item in group
            if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == "111029"
        ]
        for assessment in judged["assessments"]:
            if assessment["score"] is not None:
                assert assessment["score"] in ratings

        # C-FIND and QIDO-RS give the same documents
        asked = subprocess.run(
            ["findscu", "-S", "-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={study}", "-k", "Modality",
             "-k", "SeriesInstanceUID", "-aec", "ORTHANC", "127.0.0.1", str(orthanc.port)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        answers = asked.stdout + asked.stderr
        qido = orthanc.get(f"/dicom-web/studies/{study}/series")
        for documents in held.values():
            for dataset in documents:
                assert str(dataset.SeriesInstanceUID) in answers
                assert dataset.SeriesInstanceUID in {s["0020000E"]["Value"][0] for s in qido}


def walk(dataset: pydicom.Dataset) -> Iterator[list[pydicom.Dataset]]:
    """Yield every content sequence of a structured report."""
    for item in dataset.get("ContentSequence", []):
        yield [item]
        yield from walk(item)


def test_a_pacs_that_routes_by_itself_gets_one_answer_and_no_loop(
    peers: tuple[ServedNode, Orthanc], tmp_path: Path
) -> None:
    node, orthanc = peers
    path = Path(str(get_testdata_file("MR_small.dcm", download=False)))
    dataset = pydicom.dcmread(path)
    dataset.SeriesInstanceUID = dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.77001"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.77001.1"
    dataset.save_as(tmp_path / "routed.dcm")
    orthanc.post("/instances", (tmp_path / "routed.dcm").read_bytes())
    found = node.wait_for_state(str(dataset.SeriesInstanceUID), "delivered")
    before = found["events"]
    held = documents_of(orthanc, found["study_instance_uid"], {str(dataset.SOPInstanceUID)})
    assert [len(held["SR"]), len(held["OT"])] == [1, 1]
    # the documents become stable in Orthanc too; they must not come back, nor start anything
    orthanc.wait_for(
        len(found["revisions"][0]["documents"]), level="Series", StudyInstanceUID=found["study_instance_uid"]
    )
    node.wait(
        lambda: sum("STABLE" in line or "stable" in line.lower() for line in orthanc.log().splitlines()) >= 0, 1, ""
    )
    assert (node.series(found["series_instance_uid"]) or {})["events"][: len(before)] == before
    assert len(orthanc.find("Instance", StudyInstanceUID=found["study_instance_uid"], Modality="SR")) == 1


def test_the_archive_commits_to_keep_the_documents(peers: tuple[ServedNode, Orthanc]) -> None:
    node, _ = peers

    def kept() -> bool:
        text = node.get("/metrics")
        return 'qagate_deliveries{destination="PACS",state="committed"}' in text and 'state="parked"' not in text

    node.wait(kept, 60, "storage commitment")


def test_late_images_make_a_new_revision_that_names_its_predecessor(
    peers: tuple[ServedNode, Orthanc], tmp_path: Path
) -> None:
    node, orthanc = peers
    base = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    uid = "1.2.826.0.1.3680043.8.498.77002"
    paths = []
    for number in range(6):
        base.SeriesInstanceUID = base.StudyInstanceUID = uid
        base.SOPInstanceUID = base.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{number}"
        base.InstanceNumber = number + 1
        base.ImagePositionPatient = [0, 0, number * 5.0]
        paths.append(tmp_path / f"{number}.dcm")
        base.save_as(paths[-1])
    assert dcmtk.dcmsend(paths[:4], port=node.port).returncode == 0
    first = node.wait_for_state(uid, "delivered")
    assert dcmtk.dcmsend(paths[4:], port=node.port).returncode == 0
    second = node.wait_for_state(uid, "delivered", revision=2)
    assert [r["assessments"][0]["geometry"]["shape"][0] for r in second["revisions"]] == [6, 4]
    reports = documents_of(orthanc, uid, {f"{uid}.0"})["SR"]
    assert len(reports) == 2
    earlier = first["revisions"][0]["documents"][0]["sop_instance_uid"]
    assert any(earlier in str(report.get("PredecessorDocumentsSequence", "")) for report in reports)
    # the same again changes nothing
    assert dcmtk.dcmsend(paths, port=node.port).returncode == 0
    assert node.wait_for_state(uid, "delivered", revision=2)["revision"] == 2


def test_what_is_not_scored_is_taken_and_excluded_with_its_rule(
    peers: tuple[ServedNode, Orthanc], tmp_path: Path
) -> None:
    node, _ = peers
    path = Path(str(get_testdata_file("examples_ybr_color.dcm", download=False)))
    uid = str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID)
    sent = dcmtk.dcmsend([path], port=node.port)
    assert sent.returncode == 0, sent.output
    found = node.wait_for_state(uid, "excluded")
    assert found["state_reason"].startswith(("not_ct_or_mr", "not_an_image"))
    assert found["revisions"][0]["documents"] == []
