"""Structured report: the assessment of a series as TID 1500, Imaging Measurement Report (PS3.16)."""

from __future__ import annotations

from highdicom.sr import MeasurementReport, MeasurementsAndQualitativeEvaluations, ObservationContext
from pydicom import DataElement, Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from qagate.errors import ReportError
from qagate.report import uids
from qagate.report.codes import PRIVATE_DESIGNATOR, Vocabulary
from qagate.report.document import Document
from qagate.report.evidence import Origin
from qagate.report.groups import slice_group, volume_group
from qagate.report.observer import concept, device_observer
from qagate.report.request import ReportRequest
from qagate.report.shell import evidence_sequence, request_sequence, series_uids, shell

SOP_CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
"""Richest first. The tree uses nothing that the simplest of them forbids, so it is the same in all three."""


def structured_report(request: ReportRequest, origin: Origin, vocabulary: Vocabulary) -> Document:
    """Return the SR in its three SOP classes, each with a SOP Instance UID of its own."""
    first, *others = SOP_CLASSES
    document = shell(
        request,
        origin,
        sop_class_uid=first,
        sop_instance_uid=uids.derive(request.seed, "SR", first),
        modality="SR",
        series_instance_uid=series_uids(request)[0],
        series_number=request.settings.series_number,
    )
    document.CompletionFlag = "COMPLETE"
    document.VerificationFlag = "UNVERIFIED"
    document.PreliminaryFlag = "PRELIMINARY"
    document.PerformedProcedureCodeSequence = []
    document.ReferencedPerformedProcedureStepSequence = []  # ours, and we performed none; the scanner's is not ours
    document.CodingSchemeIdentificationSequence = [_private_scheme(vocabulary)]
    if requests := request_sequence(origin):
        document.ReferencedRequestSequence = requests
    if evidence := evidence_sequence(origin, origin.instances):
        document.CurrentRequestedProcedureEvidenceSequence = evidence
    if request.predecessor:
        document.PredecessorDocumentsSequence = [_predecessor(request.predecessor, origin)]
    try:
        tree = _tree(request, origin, vocabulary)
    except (AttributeError, TypeError, ValueError) as error:
        raise ReportError(f"the content of the SR cannot be built: got {error}") from error
    for element in tree[0]:
        document.add(element)
    return Document("SR", (document, *(_as(document, other, request.seed) for other in others)))


def _tree(request: ReportRequest, origin: Origin, vocabulary: Vocabulary) -> MeasurementReport:
    groups: list[MeasurementsAndQualitativeEvaluations] = []
    for assessment, verdict in request.assessments:
        groups.append(volume_group(request, assessment, verdict, origin, vocabulary))
        if assessment.score is not None and (slices := slice_group(request, assessment, verdict, origin, vocabulary)):
            groups.append(slices)
    modality = request.assessments[0][0].prompt.modality or origin.modality
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device_observer(request.station_name)),
        procedure_reported=concept(vocabulary.procedure(modality)),
        imaging_measurements=groups,
        title=standard.DCM.ImagingMeasurementReport,
    )


def _private_scheme(vocabulary: Vocabulary) -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_DESIGNATOR
    item.CodingSchemeName = vocabulary.private_name
    item.CodingSchemeVersion = vocabulary.version
    item.CodingSchemeResponsibleOrganization = vocabulary.organisation
    return item


def _predecessor(predecessor: tuple[str, str, str], origin: Origin) -> Dataset:
    sop_class_uid, sop_instance_uid, series_instance_uid = predecessor
    one, series, study = Dataset(), Dataset(), Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = UID(sop_class_uid), UID(sop_instance_uid)
    series.SeriesInstanceUID, series.ReferencedSOPSequence = UID(series_instance_uid), [one]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = UID(origin.study_instance_uid), [series]
    return study


def _as(document: Dataset, sop_class_uid: UID, seed: str) -> Dataset:
    """Return the same document in another SOP class; all but the identity is shared, not copied."""
    other = Dataset()
    other.update({element.tag: element for element in document})
    sop_instance_uid = UID(uids.derive(seed, "SR", sop_class_uid))
    # new elements: setting the attribute would change the one that is shared
    other.add(DataElement("SOPClassUID", "UI", sop_class_uid))
    other.add(DataElement("SOPInstanceUID", "UI", sop_instance_uid))
    other.file_meta = type(document.file_meta)()
    other.file_meta.update({element.tag: element for element in document.file_meta})
    other.file_meta.add(DataElement("MediaStorageSOPClassUID", "UI", sop_class_uid))
    other.file_meta.add(DataElement("MediaStorageSOPInstanceUID", "UI", sop_instance_uid))
    return other
