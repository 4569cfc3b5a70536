"""Makers of requests for the tests of the report room."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from qagate import settings
from qagate.domain.assessment import Assessment, Measurement, ModelIdentity, SliceScore, Source
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.prompt import Prompt
from qagate.domain.verdict import Action, Outcome, Verdict, worst
from qagate.domain.volume import Geometry
from qagate.report.request import ReportRequest

ROOT = "2.25.31415926535897932384626433832795"
STUDY, SERIES = f"{ROOT}.1", f"{ROOT}.2"
NOW = datetime(2025, 6, 1, 1, 20, tzinfo=UTC)
MODEL = ModelIdentity("qagate-iqa", "0.1.0", "ab" * 32)


def header(number: int, **changes: Any) -> Dataset:
    """One CT header; a change of None removes the attribute."""
    attributes: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": sop(number),
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "PatientName": "山田^太郎",
        "PatientID": "QG-0001",
        "PatientBirthDate": "19700102",
        "PatientSex": "M",
        "PatientAge": "055Y",
        "StudyID": "1",
        "AccessionNumber": "ACC-77",
        "StudyDate": "20250601",
        "StudyTime": "101500",
        "AcquisitionDate": "20250601",
        "AcquisitionTime": "101530.25",
        "TimezoneOffsetFromUTC": "+0900",
        "ReferringPhysicianName": "",
        "StudyDescription": "CT Abdomen",
        "SeriesDescription": "Abd venous 3mm",
        "Modality": "CT",
        "SeriesNumber": 2,
        "InstanceNumber": number,
        "Rows": 64,
        "Columns": 64,
    }
    dataset = Dataset()
    for keyword, value in (attributes | changes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    order = Dataset()
    order.RequestedProcedureID, order.ScheduledProcedureStepID = "RP1", "SPS1"
    if "RequestAttributesSequence" not in changes:
        dataset.RequestAttributesSequence = [order]
    return dataset


def sop(number: int) -> str:
    """The SOP Instance UID of the image with this 1-based number."""
    return f"{ROOT}.3.{number}"


def geometry(slices: int) -> Geometry:
    """A stack of axial slices, 2.5 mm apart."""
    affine = ((0.8, 0.0, 0.0, -25.0), (0.0, 0.8, 0.0, -25.0), (0.0, 0.0, 2.5, 0.0), (0.0, 0.0, 0.0, 1.0))
    return Geometry((slices, 64, 64), (2.5, 0.8, 0.8), affine)


def assessment(count: int = 12, **changes: Any) -> Assessment:
    """A CT abdomen with noise, and a slice without a score."""
    scores = [round(50 + 30 * np.sin(k / 3), 2) for k in range(count)]
    fields: dict[str, Any] = {
        "source": Source("/spool/x", STUDY, SERIES, count, 0, 1),
        "prompt": Prompt("CT", ("abdomen",), "liver", kernel="soft", plane="axial", rules_version="2025.1"),
        "geometry": geometry(count),
        "score": 57.34,
        "interval": (49.1, 66.02),
        "attributes": {"noise": np.float32(0.62), "motion": 0.31, "streak": 0.12, "metal": 0.0, "ring": 0.05},
        "slices": tuple(SliceScore(sop(k + 1), None, 2.5 * k, None if k == 3 else scores[k]) for k in range(count)),
        "physics": (
            Measurement("noise_hu", 23.84512, "[hnsf'U]", "lower"),
            Measurement("snr", 4.2, "1", "higher"),
            Measurement("edge_width_at_the_body_surface", 1.73, "mm", "lower"),
        ),
        "findings": (Finding(FindingCode.MISSING_SLICES, Severity.MODERATE, "1 of 13 slices is missing", (sop(4),)),),
        "model": MODEL,
        "out_of_domain": 0.1,
    }
    return Assessment(**(fields | changes))


def verdict(outcome: Outcome = Outcome.REVIEW, **changes: Any) -> Verdict:
    """A verdict with two reasons."""
    fields: dict[str, Any] = {
        "outcome": outcome,
        "reasons": ("Noise 24 HU; abdomen here is usually 12-18", "Motion between slices 3 and 4"),
        "policy": "default",
        "action": Action.ADVISE,
        "limit": 60.0,
        "attribute_limits": (("noise", 0.5), ("motion", 0.7)),
    }
    return Verdict(**(fields | changes))


def unscored(**changes: Any) -> tuple[Assessment, Verdict]:
    """A localiser: no slices, no score."""
    reason = Finding(FindingCode.LOCALIZER, Severity.NONE, "This is a localizer: nothing to judge")
    fields: dict[str, Any] = {
        "score": None, "interval": None, "attributes": {}, "slices": (), "physics": (), "geometry": None,
        "findings": (reason,), "model": None, "out_of_domain": None,
    }  # fmt: skip
    answer = verdict(Outcome.UNSCORED, reasons=(reason.detail,), limit=None, attribute_limits=())
    return assessment(**(fields | changes)), answer


def pictures(volume: int, indices: tuple[int, ...], seed: int = 0) -> dict[tuple[int, int], npt.NDArray[np.uint8]]:
    """A bright ellipse with noise on each slice, (64, 64)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64]
    body = ((columns - 32) / 26) ** 2 + ((rows - 32) / 20) ** 2 < 1
    return {
        (volume, k): np.clip(np.where(body, 130, 5) + rng.normal(0, 20, (64, 64)), 0, 255).astype(np.uint8)
        for k in indices
    }


def request(*pairs: tuple[Assessment, Verdict], **changes: Any) -> ReportRequest:
    """A request; without pairs, on the one volume of `assessment()`."""
    pairs = pairs or ((assessment(), verdict()),)
    count = max(12, *(len(a.slices) for a, _ in pairs))
    fields: dict[str, Any] = {
        "assessments": pairs,
        "overall": worst(tuple(v for _, v in pairs)),
        "evidence": tuple(header(k + 1) for k in range(count)),
        "pictures": pictures(0, (0, 2, 5, 9)),
        "revision": 1,
        "predecessor": None,
        "created_at": NOW,
        "settings": settings.Report(),
        "station_name": "QAGATE1",
        "public_url": "https://qagate.example.org/series/" + SERIES,
        "seed": "seed one",
    }
    return ReportRequest(**(fields | changes))


def revised_from(seed: int) -> tuple[str, str, str]:
    """(SOP class, SOP instance, series instance UID) of a report that a later one replaces."""
    return "1.2.840.10008.5.1.4.1.1.88.34", f"{ROOT}.8.{seed}", f"{ROOT}.9.{seed}"
