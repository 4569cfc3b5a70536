"""A folder in, a folder out: every input is accounted for, and documents are real DICOM."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from qagate.clock import SystemClock
from qagate.errors import InputError
from qagate.prompt.rules import load_rules
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.work.folder import SUMMARY, process


class StoppedClock(SystemClock):
    """It is always the same moment."""

    def now(self) -> datetime:
        return datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer.load(None, "cpu", 1)


def sample(name: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(str(get_testdata_file(name, download=False)), folder))


def judge(tmp_path: Path, scorer: Scorer, out: str = "out") -> dict[str, dict[str, object]]:
    process(tmp_path / "in", tmp_path / out, load_rules(None), scorer, Settings(), StoppedClock())
    summary = json.loads((tmp_path / out / SUMMARY).read_text())
    assert summary["schema"] == "qagate.folder/1"
    return {Path(row["path"]).name: row for row in summary["series"]}


def test_series_get_documents_and_the_rest_a_reason(tmp_path: Path, scorer: Scorer) -> None:
    ct = pydicom.dcmread(sample("CT_small.dcm", tmp_path / "in"))
    sample("SC_rgb_rle.dcm", tmp_path / "in")
    (tmp_path / "in" / "notes.txt").write_text("hello")
    rows = judge(tmp_path, scorer)
    assert rows["notes.txt"]["outcome"] == "unusable"
    assert rows["SC_rgb_rle.dcm"]["outcome"] == "excluded"
    assert rows["CT_small.dcm"]["series_instance_uid"] == ct.SeriesInstanceUID
    documents = [pydicom.dcmread(tmp_path / "out" / str(path)) for path in rows["CT_small.dcm"]["documents"]]  # type: ignore[attr-defined]
    assert {d.Modality for d in documents} >= {"SR"}
    assert {d.StudyInstanceUID for d in documents} == {ct.StudyInstanceUID}
    assert len({d.Modality for d in documents}) == len(documents)  # no report comes in several forms
    there = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.dcm")}
    assert there == set(rows["CT_small.dcm"]["documents"])  # a router sends on all that it finds
    assert rows["CT_small.dcm"]["assessments"][0]["verdict"] == rows["CT_small.dcm"]["outcome"]  # type: ignore[index]


def test_the_same_folder_gives_the_same_documents(tmp_path: Path, scorer: Scorer) -> None:
    sample("CT_small.dcm", tmp_path / "in")
    first, second = judge(tmp_path, scorer, "one"), judge(tmp_path, scorer, "two")
    assert first["CT_small.dcm"]["documents"] == second["CT_small.dcm"]["documents"] != []


def test_a_picture_has_an_answer_but_no_study_for_documents(tmp_path: Path, scorer: Scorer) -> None:
    from PIL import Image

    (tmp_path / "in").mkdir()
    Image.linear_gradient("L").save(tmp_path / "in" / "one.png")
    assert judge(tmp_path, scorer)["one.png"]["documents"] == []


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("absent", "out", "must be a folder"),
        ("in", "in/out", "must not lie inside"),
        ("in", "in", "must not lie inside"),
        ("in", "used", "earlier answer"),
    ],
)
def test_folders_that_cannot_be_used_are_refused(
    tmp_path: Path, scorer: Scorer, source: str, target: str, words: str
) -> None:
    sample("CT_small.dcm", tmp_path / "in")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / SUMMARY).write_text("{}")
    with pytest.raises(InputError, match=words):
        process(tmp_path / source, tmp_path / target, load_rules(None), scorer, Settings(), StoppedClock())
