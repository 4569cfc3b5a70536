"""Key object note: flags, never rejects by itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import highdicom as hd
import pytest
from pydicom import Dataset

from qagate import settings
from qagate.domain.assessment import SliceScore
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.verdict import Outcome
from qagate.errors import ReportError
from qagate.report import codes
from qagate.report.build import build, rejection_note
from qagate.report.ko import dominant_reason
from tests.unit.report import making


def note(*pairs: Any, **changes: Any) -> Dataset:
    (found,) = [d for d in build(making.request(*pairs, **changes)) if d.kind == "KO"]
    return found.variants[0]


def item(document: Dataset, code: str) -> Dataset:
    named = [i for i in document.ContentSequence if "ConceptNameCodeSequence" in i]
    return next(i for i in named if i.ConceptNameCodeSequence[0].CodeValue == code)


@pytest.mark.parametrize(
    ("outcome", "wanted", "kinds"),
    [
        (Outcome.REVIEW, True, ["SR", "SC", "KO"]),
        (Outcome.REJECT, True, ["SR", "SC", "KO"]),
        (Outcome.ACCEPT, True, ["SR", "SC"]),
        (Outcome.REVIEW, False, ["SR", "SC"]),
    ],
)
def test_a_note_is_written_for_flagged_series_only(outcome: Outcome, wanted: bool, kinds: list[str]) -> None:
    request = making.request(
        (making.assessment(), making.verdict(outcome)), settings=settings.Report(key_object=wanted)
    )
    assert [document.kind for document in build(request)] == kinds


@pytest.mark.parametrize("outcome", [Outcome.REVIEW, Outcome.REJECT])
def test_no_verdict_makes_a_rejection_note_by_itself(outcome: Outcome) -> None:
    document = note((making.assessment(), making.verdict(outcome)))
    assert document.ConceptNameCodeSequence[0].CodeValue == "113010"  # Quality Issue


def test_it_says_the_dominant_reason_and_all_of_them_in_words() -> None:
    document = note((making.assessment(findings=()), making.verdict()))
    assert item(document, "113011").ConceptCodeSequence[0].CodeValue == "111211"  # noise in CT: Under exposed
    assert item(document, "113012").TextValue == (
        "Look, 57 of 100: Noise 24 HU; abdomen here is usually 12-18; Motion between slices 3 and 4 "
        "(AI, not for diagnosis)"
    )


def test_its_references_have_no_purpose_and_cover_all_images() -> None:
    document = note()
    images = [i for i in document.ContentSequence if i.ValueType == "IMAGE"]
    assert len(images) == 12
    assert all("ConceptNameCodeSequence" not in i for i in images)
    assert document.Modality == "KO"
    assert document.SeriesNumber == 9903


def test_highdicom_reads_it_back() -> None:
    read = hd.ko.KeyObjectSelectionDocument.from_dataset(note())
    assert len(read.content.get_references()) == 12


def test_only_the_flagged_volume_is_pointed_at() -> None:
    good = making.assessment(6, findings=())
    bad = making.assessment(
        source=dataclasses.replace(good.source, volume_index=1),
        slices=tuple(SliceScore(making.sop(k + 7), None, 2.5 * k, 30.0) for k in range(6)),
        findings=(),
    )
    document = note((good, making.verdict(Outcome.ACCEPT)), (bad, making.verdict()))
    uids = [
        i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in document.ContentSequence if i.ValueType == "IMAGE"
    ]
    assert uids == [making.sop(k) for k in range(7, 13)]


def test_of_an_object_with_several_volumes_the_frames_of_the_flagged_one_are_pointed_at() -> None:
    def volume(index: int) -> Any:
        source = dataclasses.replace(making.assessment().source, volume_index=index)
        slices = tuple(SliceScore(making.sop(1), 6 * index + k + 1, 2.5 * k, 30.0) for k in range(6))
        return making.assessment(source=source, slices=slices, findings=())

    pairs = ((volume(0), making.verdict(Outcome.ACCEPT)), (volume(1), making.verdict()))
    evidence = (making.header(1, NumberOfFrames=12),)
    (image,) = [i for i in note(*pairs, evidence=evidence).ContentSequence if i.ValueType == "IMAGE"]
    assert image.ReferencedSOPSequence[0].ReferencedFrameNumber == [7, 8, 9, 10, 11, 12]
    rejected = rejection_note(making.request(*pairs, evidence=evidence), confirmed_by="Dr. Example").variants[0]
    (image,) = [i for i in rejected.ContentSequence if i.ValueType == "IMAGE"]
    assert "ReferencedFrameNumber" not in image.ReferencedSOPSequence[0]


@pytest.mark.parametrize(
    ("attributes", "findings", "limits", "reason"),
    [
        ({"noise": 0.5, "motion": 0.9}, (), (), "111210"),  # the severest
        ({"noise": 0.5, "motion": 0.9}, (), (("noise", 0.4),), "111211"),  # over a limit goes first
        ({"noise": 0.1}, (), (), "111220"),  # nothing stands out: Other failure
        ({}, (FindingCode.UNREADABLE_SLICE,), (), "111218"),
        ({"ring": 0.8}, (FindingCode.MISSING_SLICES,), (("ring", 0.5),), "111214"),  # severe before moderate
    ],
)
def test_the_dominant_reason(
    attributes: dict[str, float], findings: tuple[FindingCode, ...], limits: tuple[tuple[str, float], ...], reason: str
) -> None:
    facts = tuple(Finding(code, Severity.MODERATE, "so") for code in findings)
    pair = (making.assessment(attributes=attributes, findings=facts), making.verdict(attribute_limits=limits))
    assert dominant_reason(making.request(pair), codes.load()).value == reason


def test_a_rejection_needs_a_person() -> None:
    with pytest.raises(ReportError, match="the person who confirmed it"):
        rejection_note(making.request(), confirmed_by=" \x00")


def test_a_confirmed_rejection_says_who() -> None:
    document = rejection_note(making.request(), confirmed_by="Dr. Example", reason="positioning").variants[0]
    assert document.ConceptNameCodeSequence[0].CodeValue == "113001"
    assert item(document, "113011").ConceptCodeSequence[0].CodeValue == "111209"
    assert item(document, "113012").TextValue.startswith("Rejected by Dr. Example. Look, 57 of 100")
    assert document.SOPInstanceUID != note().SOPInstanceUID


def test_a_note_without_images_is_refused() -> None:
    with pytest.raises(ReportError, match="at least one source instance"):
        rejection_note(making.request(evidence=()), confirmed_by="Dr. Example")
