"""Numbering: sentences about slices also say which images of the archive are meant."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset

from qagate.domain.assessment import SliceScore
from qagate.report.build import build, origin_of
from qagate.report.numbering import counted, images_of
from qagate.report.page import _when
from tests.unit.report import making

DOWN = tuple(making.header(k + 1, InstanceNumber=12 - k) for k in range(12))
SENTENCE = "Slice 1 is image 12 of the series, slice 12 is image 1"


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (None, ""),
        (DOWN, SENTENCE),
        (tuple(making.header(k + 1, InstanceNumber=None) for k in range(12)), ""),
        (
            tuple(making.header(k + 1, InstanceNumber=101 + k) for k in range(12)),
            "Slice 1 is image 101 of the series, slice 12 is image 112",
        ),
        ((), ""),
    ],
)
def test_how_slices_and_images_go_together(evidence: Any, sentence: str) -> None:
    request = making.request(**({} if evidence is None else {"evidence": evidence}))
    assert counted(origin_of(request), making.assessment()) == sentence


def test_frames_are_the_images_of_an_object_that_has_several() -> None:
    slices = tuple(SliceScore(making.sop(1), 6 - k, 2.5 * k, 50.0) for k in range(6))
    request = making.request(evidence=(making.header(1, NumberOfFrames=6),))
    assert images_of(origin_of(request), making.assessment(slices=slices)) == (6, 5, 4, 3, 2, 1)


def test_the_tiles_of_a_mosaic_are_one_image() -> None:
    slices = tuple(SliceScore(making.sop(1), None, 2.5 * k, 50.0) for k in range(6))
    request = making.request(evidence=(making.header(1),))
    assert counted(origin_of(request), making.assessment(slices=slices)) == ""


def test_note_and_report_say_it_where_they_speak_of_slices() -> None:
    def said(reasons: tuple[str, ...]) -> list[bool]:
        documents = build(making.request((making.assessment(), making.verdict(reasons=reasons)), evidence=DOWN))
        return [SENTENCE in _texts(d.variants[0]) for d in documents if d.kind != "SC"]

    assert said(("Motion between slices 3 and 4",)) == [True, True]
    assert said(("Noise 24 HU",)) == [False, False]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "acquired 2025-06-01 10:15"),
        # Enhanced objects: one value, and the study began earlier
        (
            {"AcquisitionDate": None, "AcquisitionTime": None, "AcquisitionDateTime": "20250601110203.5+0900"},
            "acquired 2025-06-01 11:02",
        ),
        ({"AcquisitionDate": None, "AcquisitionTime": None}, "study of 2025-06-01 10:15"),
        ({"AcquisitionTime": None}, "acquired 2025-06-01"),  # the time of the study is another one
        (
            {"AcquisitionDate": None, "AcquisitionTime": None, "AcquisitionDateTime": "2025"},
            "study of 2025-06-01 10:15",
        ),
        ({"AcquisitionDate": None, "AcquisitionTime": None, "StudyDate": None}, ""),
    ],
)
def test_when_the_images_were_made(changes: dict[str, Any], said: str) -> None:
    assert _when(origin_of(making.request(evidence=(making.header(1, StudyTime="101500", **changes),)))) == said


def _texts(document: Dataset) -> str:
    found = []
    document.walk(lambda _, element: found.append(str(element.value)) if element.keyword == "TextValue" else None)
    return " | ".join(found)
