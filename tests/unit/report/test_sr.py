"""Structured report: what a reader finds in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import highdicom as hd
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from qagate.domain.assessment import Measurement, SliceScore
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID
from qagate.domain.verdict import Outcome
from qagate.report.build import build
from qagate.report.document import Document
from tests.unit.report import making


def report(*pairs: Any, **changes: Any) -> Document:
    return build(making.request(*pairs, **changes))[0]


def walk(item: Dataset) -> list[Dataset]:
    """The item and all content items below it."""
    return [item, *(found for child in item.get("ContentSequence", []) for found in walk(child))]


def groups(document: Dataset) -> list[Dataset]:
    return [i for i in walk(document) if name(i) == "125007"]


def name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def numbers(group: Dataset, code: str) -> list[float]:
    items = [i for i in group.ContentSequence if i.ValueType == "NUM" and name(i) == code]
    return [float(i.MeasuredValueSequence[0].NumericValue) for i in items]


def words(group: Dataset, code: str) -> list[str]:
    items = [i for i in group.ContentSequence if i.ValueType == "CODE" and name(i) == code]
    return [str(i.ConceptCodeSequence[0].CodeValue) for i in items]


def comments(group: Dataset) -> list[str]:
    return [i.TextValue for i in group.ContentSequence if i.ValueType == "TEXT" and name(i) == "121106"]


def referenced(item: Dataset) -> list[tuple[str, Any]]:
    found = [i.ReferencedSOPSequence[0] for i in walk(item) if i.ValueType == "IMAGE"]
    return [(r.ReferencedSOPInstanceUID, r.get("ReferencedFrameNumber")) for r in found]


def test_there_are_three_variants_of_one_tree() -> None:
    variants = report().variants
    assert [v.SOPClassUID for v in variants] == [Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage]
    assert len({v.SOPInstanceUID for v in variants}) == 3
    assert len({v.SeriesInstanceUID for v in variants}) == 1
    for variant in variants:
        assert variant.file_meta.MediaStorageSOPClassUID == variant.SOPClassUID
        assert variant.file_meta.MediaStorageSOPInstanceUID == variant.SOPInstanceUID
        assert variant.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
        assert variant.ContentSequence == variants[0].ContentSequence


def test_highdicom_reads_it_back(tmp_path: Path) -> None:
    for path in report().write(tmp_path):
        read = hd.sr.srread(path)
        rows = read.content.get_image_measurement_groups()
        assert len(rows) == 2
        assert [str(row.tracking_identifier) for row in rows] == ["qagate volume 1", "qagate slices 1"]
        rating = rows[0].get_measurements(name=hd.sr.CodedConcept("111029", "DCM", "Image Quality Rating"))
        assert [measurement.value for measurement in rating] == [57.3]
        assert rows[0].finding_sites[0].value.meaning == "Abdomen"


def test_the_volume_group_says_how_good_and_why() -> None:
    group = groups(report().variants[0])[0]
    assert numbers(group, "111029") == [57.3]
    assert numbers(group, "RATING_LOW") + numbers(group, "RATING_HIGH") == [49.1, 66.0]
    assert numbers(group, "130578") == [0.62]  # noise
    assert words(group, "130578") == ["6736007"]  # 0.45 <= 0.62 < 0.7: moderate
    assert words(group, "RID11423") == ["255604002"]  # motion 0.31: mild
    assert words(group, "METAL") == ["260413007"]  # 0.0: none, and said so
    assert words(group, "VERDICT") == ["REVIEW"]
    assert words(group, "130550") == ["RID13"]
    assert words(group, "111050") == ["111236"]
    assert words(group, "363698007") == ["818981001", "10200004"]  # abdomen, liver
    assert comments(group) == [
        "Noise 24 HU; abdomen here is usually 12-18",
        "Motion between slices 3 and 4",
        "1 of 13 slices is missing",
    ]


def test_only_what_is_moderate_becomes_a_quality_finding() -> None:
    found = [i for i in groups(report().variants[0])[0].ContentSequence if name(i) == "111052"]
    assert [i.ConceptCodeSequence[0].CodeValue for i in found] == ["130578", "MISSING_SLICES"]
    noise, missing = found
    assert [name(i) for i in noise.ContentSequence] == ["246112005", "111050", "111051", "111029"]
    # TID 4014 rates the finding itself: 100 * (1 - 0.62)
    assert float(noise.ContentSequence[3].MeasuredValueSequence[0].NumericValue) == 38.0
    assert referenced(missing) == [(making.sop(4), None)]


def test_measurements_carry_ucum_units_and_few_digits() -> None:
    group = groups(report().variants[0])[0]
    rows = {name(i): i.MeasuredValueSequence[0] for i in group.ContentSequence if i.ValueType == "NUM"}
    noise = rows["NOISE"]
    assert str(noise.NumericValue) == "23.85"  # four significant digits of 23.84512
    unit = noise.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning) == ("[hnsf'U]", "UCUM", "Hounsfield unit")
    assert rows["113060"].MeasurementUnitsCodeSequence[0].CodeValue == "1"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_a_number_is_left_out(value: float) -> None:
    assessment = making.assessment(
        physics=(Measurement("snr", value, "1"),), attributes={"noise": value, "ring": 1.0000002}, findings=()
    )
    group = groups(report((assessment, making.verdict())).variants[0])[0]
    assert numbers(group, "113060") == []
    assert numbers(group, "130578") == []
    assert numbers(group, "RING") == [1.0]  # a hair above 1 in single precision


def test_each_scored_slice_has_its_rating_and_its_image() -> None:
    group = groups(report().variants[0])[1]
    ratings = [i for i in group.ContentSequence if i.ValueType == "NUM" and name(i) == "111029"]
    assert len(ratings) == 11  # 12 slices, the fourth without a score
    assert comments(group) == ["11 of 12 slices scored"]
    assert numbers(group, "SLICES_SCORED") + numbers(group, "SLICES") == [11, 12]
    assert [referenced(i) for i in ratings] == [[(making.sop(k + 1), None)] for k in range(12) if k != 3]
    for item in ratings:
        assert len(str(item.MeasuredValueSequence[0].NumericValue)) <= 4  # one decimal: "100" or "57.3"


def test_frames_are_named_where_an_object_has_several() -> None:
    slices = tuple(SliceScore(making.sop(1), k + 1, 2.0 * k, 50.0 + k) for k in range(4))
    pair = (making.assessment(4, slices=slices, findings=()), making.verdict())
    enhanced = making.header(1, NumberOfFrames=30)
    volume, rows = groups(report(pair, evidence=(enhanced,)).variants[0])
    assert referenced(volume) == [(making.sop(1), [1, 2, 3, 4])]
    assert referenced(rows) == [(making.sop(1), k) for k in (1, 2, 3, 4)]


def test_no_frames_are_named_where_all_are_meant() -> None:
    slices = tuple(SliceScore(making.sop(1), k + 1, 2.0 * k, 50.0 + k) for k in range(4))
    pair = (making.assessment(4, slices=slices, findings=()), making.verdict())
    volume, _ = groups(report(pair, evidence=(making.header(1, NumberOfFrames=4),)).variants[0])
    assert referenced(volume) == [(making.sop(1), None)]


def test_several_volumes_have_a_group_each() -> None:
    first = making.assessment(6)
    second = making.assessment(
        source=dataclasses.replace(first.source, volume_index=1, label="echo 2"),
        slices=tuple(SliceScore(making.sop(k + 7), None, 2.5 * k, 80.0) for k in range(6)),
        findings=(),
    )
    document = report((first, making.verdict()), (second, making.verdict(Outcome.ACCEPT, reasons=()))).variants[0]
    found = groups(document)
    identifiers = [next(i.TextValue for i in g.ContentSequence if name(i) == "112039") for g in found]
    assert identifiers == ["qagate volume 1", "qagate slices 1", "qagate volume 2, echo 2", "qagate slices 2, echo 2"]
    trackers = [next(i.UID for i in g.ContentSequence if name(i) == "112040") for g in found]
    assert len(set(trackers)) == 4
    assert {uid for uid, _ in referenced(found[2])} == {making.sop(k) for k in range(7, 13)}
    assert words(found[0], "VERDICT") + words(found[2], "VERDICT") == ["REVIEW", "ACCEPT"]


def test_an_unscored_series_says_so_and_why() -> None:
    (group,) = groups(report(making.unscored()).variants[0])
    assert numbers(group, "111029") == []
    assert words(group, "VERDICT") == ["UNSCORED"]
    assert words(group, "111050") == []  # neither usable nor unusable
    assert words(group, "111052") == ["121311"]  # Localizer
    assert comments(group) == ["This is a localizer: nothing to judge"]
    assert len(referenced(group)) == 12  # it lists no slices, so all images are meant


def test_an_unbuilt_volume_refers_to_what_no_other_claims() -> None:
    first = making.assessment(8, findings=())
    other, answer = making.unscored(source=dataclasses.replace(first.source, volume_index=1))
    found = groups(report((first, making.verdict()), (other, answer)).variants[0])
    assert {uid for uid, _ in referenced(found[2])} == {making.sop(k) for k in range(9, 13)}


def test_every_finding_can_be_said() -> None:
    findings = tuple(Finding(code, severity, f"about {code}") for code in FindingCode for severity in Severity)
    group = groups(report((making.assessment(findings=findings), making.verdict())).variants[0])[0]
    # noise is the one artefact that is moderate
    assert len(words(group, "111052")) == len(findings) + 1


def test_who_said_it_can_be_traced() -> None:
    document = report().variants[0]
    items = {name(i): i for i in walk(document) if i.ValueType == "TEXT"}
    assert items["111001"].TextValue == "qagate-iqa"
    assert items["111003"].TextValue == "0.1.0"
    parameters = [i.TextValue for i in walk(groups(document)[0]) if i.ValueType == "TEXT" and name(i) == "111002"]
    assert f"model_sha256={'ab' * 32}" in parameters
    assert "rules=2025.1" in parameters
    assert "policy=default" in parameters
    assert "limit=60" in parameters
    assert "limit noise=0.5" in parameters
    assert items["121013"].TextValue == "QAGATE1"  # Device Observer Name
    assert (document.CompletionFlag, document.PreliminaryFlag, document.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )


@pytest.mark.parametrize(("modality", "code"), [("CT", "25045-6"), ("MR", "25056-3"), ("US", "363679005")])
def test_the_procedure_is_one_of_the_context_group(modality: str, code: str) -> None:
    assessment, answer = making.unscored()
    prompt = dataclasses.replace(assessment.prompt, modality=modality)
    document = report((dataclasses.replace(assessment, prompt=prompt), answer)).variants[0]
    procedure = next(i for i in walk(document) if name(i) == "121058")
    assert procedure.ConceptCodeSequence[0].CodeValue == code


def test_patient_study_and_order_are_those_of_the_source() -> None:
    document, source = report().variants[0], making.header(1)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID"):
        assert document[keyword].value == source[keyword].value
    for keyword in ("AccessionNumber", "StudyDate", "StudyTime", "StudyDescription", "PatientAge"):
        assert document[keyword].value == source[keyword].value
    assert document.SeriesInstanceUID != source.SeriesInstanceUID
    order = document.ReferencedRequestSequence[0]
    assert (order.RequestedProcedureID, order.AccessionNumber) == ("RP1", "ACC-77")
    assert len(document.ReferencedPerformedProcedureStepSequence) == 0


def test_all_orders_that_one_scan_fulfils_are_named() -> None:
    chest, abdomen, unnamed = Dataset(), Dataset(), Dataset()
    chest.RequestedProcedureID, chest.AccessionNumber = "RP1", "ACC-1"
    abdomen.RequestedProcedureID, abdomen.AccessionNumber = "RP2", "ACC-2"
    unnamed.ScheduledProcedureStepID = "SPS3"
    source = making.header(1, AccessionNumber="", RequestAttributesSequence=[chest, abdomen, unnamed, chest])
    for document in (d for d in build(making.request(evidence=(source,))) if d.kind != "SC"):
        orders = document.variants[0].ReferencedRequestSequence
        found = [(order.RequestedProcedureID, order.AccessionNumber) for order in orders]
        assert found == [("RP1", "ACC-1"), ("RP2", "ACC-2")]


def test_times_are_in_the_zone_of_the_source() -> None:
    document = report().variants[0]
    # 01:20 UTC is 10:20 at +0900
    assert (document.ContentDate, document.ContentTime) == ("20250601", "102000")
    assert document.TimezoneOffsetFromUTC == "+0900"
    west = tuple(making.header(k, TimezoneOffsetFromUTC="-0730") for k in (1, 2))
    document = report(evidence=west).variants[0]
    # 01:20 UTC is 17:50 of the day before at -0730
    assert (document.ContentDate, document.ContentTime) == ("20250531", "175000")


def test_no_zone_is_claimed_where_the_source_says_none() -> None:
    silent = tuple(making.header(k, TimezoneOffsetFromUTC=None) for k in (1, 2))
    assert "TimezoneOffsetFromUTC" not in report(evidence=silent).variants[0]


def test_evidence_lists_every_instance_of_the_study() -> None:
    (study,) = report().variants[0].CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (making.STUDY, making.SERIES)
    assert [r.ReferencedSOPInstanceUID for r in series.ReferencedSOPSequence] == [making.sop(k) for k in range(1, 13)]


def test_a_revision_names_and_joins_the_report_it_replaces() -> None:
    first = report().variants[0]
    predecessor = (first.SOPClassUID, first.SOPInstanceUID, first.SeriesInstanceUID)
    second = report(revision=2, predecessor=predecessor, seed="seed two").variants[0]
    assert second.SeriesInstanceUID == first.SeriesInstanceUID
    assert second.SOPInstanceUID != first.SOPInstanceUID
    assert second.InstanceNumber == 2
    (study,) = second.PredecessorDocumentsSequence
    (one,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert one.ReferencedSOPInstanceUID == first.SOPInstanceUID


def test_only_the_private_scheme_is_declared() -> None:
    declared = report().variants[0].CodingSchemeIdentificationSequence
    assert [item.CodingSchemeDesignator for item in declared] == ["99QAGATE"]


def test_text_from_outside_cannot_carry_control_characters(tmp_path: Path) -> None:
    pair = (making.assessment(), making.verdict(reasons=("noise\x00 \x1b[2J high\ud800",), policy="a\\b\n"))
    for path in report(pair).write(tmp_path):
        read = dcmread(path)
        assert "noise [2J high" in comments(groups(read)[0])
