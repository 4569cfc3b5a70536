"""Reports in front of the validators that integrators use: dciodvfy, dsrdump and PixelMed's SR validator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError

from qagate.domain.assessment import Assessment, SliceScore
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.verdict import Outcome
from qagate.report.build import build, rejection_note
from qagate.report.document import Document
from qagate.report.request import ReportRequest
from tests.peers import validators
from tests.unit.report import making

pytestmark = pytest.mark.peers

SHARED = Path(__file__).parents[3] / "shared" / "data" / "dicom" / "series"


def on(headers: list[Dataset], **changes: object) -> ReportRequest:
    """A flagged request on these source instances, each of them (or each frame) a scored slice."""
    slices = []
    for header in headers:
        frames = int(header.get("NumberOfFrames", 1) or 1)
        for k in range(frames):
            frame = k + 1 if frames > 1 else None
            slices.append(
                SliceScore(header.get("SOPInstanceUID", ""), frame, 2.0 * len(slices), 50.0 + len(slices) % 40)
            )
    base = making.assessment(findings=(Finding(FindingCode.GANTRY_TILT, Severity.MILD, "Tilted by 18 degrees"),))
    source = replace(base.source, instances=len(headers))
    assessment: Assessment = replace(base, slices=tuple(slices), source=source)
    return making.request((assessment, making.verdict()), evidence=tuple(headers), **changes)


def from_pydicom(name: str) -> ReportRequest:
    return on([dcmread(str(get_testdata_file(name)), stop_before_pixels=True)])


def enhanced() -> ReportRequest:
    header = dcmread(str(get_testdata_file("MR_small.dcm")), stop_before_pixels=True)
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"  # Enhanced MR Image Storage
    header.NumberOfFrames = 20
    request = on([header])
    ((assessment, verdict),) = request.assessments
    # two volumes in one object, each of them half of the frames
    halves = [
        replace(
            assessment, slices=assessment.slices[k::2], source=replace(assessment.source, volume_index=k, volumes=2)
        )
        for k in range(2)
    ]
    return replace(request, assessments=tuple((half, verdict) for half in halves))


def anonymised() -> ReportRequest:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", making.sop(1)
    return on([header])


def everything() -> ReportRequest:
    findings = tuple(Finding(code, Severity.SEVERE, f"about {code}", (making.sop(2),)) for code in FindingCode)
    first = making.revised_from(1)
    return making.request(
        (making.assessment(findings=findings), making.verdict(Outcome.REJECT)),
        making.unscored(),
        revision=2,
        predecessor=first,
    )


REQUESTS: dict[str, Callable[[], ReportRequest]] = {
    "generated": making.request,
    "everything": everything,
    "unscored": lambda: making.request(making.unscored(), pictures={}),
    "accepted": lambda: making.request((making.assessment(), making.verdict(Outcome.ACCEPT, reasons=()))),
    "CT_small": lambda: from_pydicom("CT_small.dcm"),
    "MR_small": lambda: from_pydicom("MR_small.dcm"),
    "enhanced": enhanced,
    "anonymised": anonymised,
    "no evidence": lambda: making.request(evidence=(), pictures={}),
}


def documents() -> Iterator[tuple[str, Callable[[], tuple[Document, ...]]]]:
    for name, request in REQUESTS.items():
        yield name, lambda request=request: build(request())
    yield "rejection", lambda: (rejection_note(making.request(), confirmed_by="Dr. Example"),)


CASES = list(documents())
IDS = [name for name, _ in CASES]


@pytest.mark.parametrize(("name", "make"), CASES, ids=IDS)
def test_dciodvfy_finds_no_error(name: str, make: Callable[[], tuple[Document, ...]], tmp_path: Path) -> None:
    for document in make():
        for path in document.write(tmp_path):
            assert validators.dciodvfy(path) == [], f"{name} {document.kind}"


@pytest.mark.parametrize(("name", "make"), CASES, ids=IDS)
def test_dsrdump_reads_trees(name: str, make: Callable[[], tuple[Document, ...]], tmp_path: Path) -> None:
    for document in make():
        for path in document.write(tmp_path):
            assert document.kind == "SC" or validators.dsrdump(path) == [], f"{name} {document.kind}"


@pytest.mark.parametrize("folder", ["ct_head_ge_tilt_varspacing", "mr_ge_implicit", "mr_enh_siemens_xa10", "skip_misc"])
def test_documents_on_real_series_pass(folder: str, tmp_path: Path) -> None:
    if not (SHARED / folder).is_dir():
        pytest.skip("the real series are not here")
    headers = []
    for path in sorted((SHARED / folder).rglob("*")):
        try:
            if path.is_file():
                headers.append(dcmread(path, stop_before_pixels=True))
        except InvalidDicomError:
            continue
    for document in build(on(headers)):
        for path in document.write(tmp_path):
            assert validators.dciodvfy(path) == [], f"{folder} {document.kind}"
            assert document.kind == "SC" or validators.dsrdump(path) == [], f"{folder} {document.kind}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), [("everything", 0), ("enhanced", 2)])
def test_pixelmed_finds_no_error_in_the_template(name: str, variant: int, tmp_path: Path) -> None:
    assert validators.pixelmed(build(REQUESTS[name]())[0].write(tmp_path)[variant]) == []
