"""Shell: the modules that every document has: patient, study, series, equipment, SOP common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

import qagate
from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID
from qagate.errors import ReportError
from qagate.report import uids
from qagate.report.alike import pointer
from qagate.report.attribute import clean
from qagate.report.evidence import Instance, Origin
from qagate.report.request import ReportRequest

MANUFACTURER = "qagate project"
MODEL_NAME = "qagate"
SERIES_DESCRIPTION = "Image quality (AI) - not for diagnosis"  # ASCII: it survives systems that ignore (0008,0005)


def shell(
    request: ReportRequest,
    origin: Origin,
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    modality: str,
    series_instance_uid: str,
    series_number: int,
) -> Dataset:
    """Return a document without its content: same patient and study as the source, a series and equipment of our own.

    Text is UTF-8 whatever the source used. Times are in the source's time zone where it says one, else in this
    machine's, because that is how a date without an offset is read.
    """
    document = Dataset()
    document.SpecificCharacterSet = "ISO_IR 192"
    document.SOPClassUID = UID(sop_class_uid)
    document.SOPInstanceUID = UID(sop_instance_uid)
    document.file_meta = _file_meta(sop_class_uid, sop_instance_uid)

    for keyword, value in origin.attributes.items():
        put(document, keyword, value)
    for keyword, words in origin.issuers.items():
        setattr(document, keyword, [_item(words)])
    put(document, "StudyInstanceUID", origin.study_instance_uid)

    now = local(request.created_at, origin.timezone)
    if origin.timezone:
        document.TimezoneOffsetFromUTC = origin.timezone
    document.InstanceCreationDate = document.ContentDate = now.strftime("%Y%m%d")
    document.InstanceCreationTime = document.ContentTime = now.strftime("%H%M%S")
    if request.predecessor is None:
        # a later revision joins the series of the first one, whose date it must not contradict
        document.SeriesDate, document.SeriesTime = document.ContentDate, document.ContentTime
    document.Modality = modality
    document.SeriesInstanceUID = UID(series_instance_uid)
    document.SeriesNumber = series_number
    document.SeriesDescription = SERIES_DESCRIPTION
    document.InstanceNumber = request.revision

    document.Manufacturer = MANUFACTURER
    document.ManufacturerModelName = MODEL_NAME
    document.DeviceSerialNumber = request.station_name
    document.StationName = request.station_name
    document.SoftwareVersions = qagate.__version__
    return document


def _item(words: Mapping[str, str]) -> Dataset:
    item = Dataset()
    for keyword, value in words.items():
        put(item, keyword, value)
    return item


def put(document: Dataset, keyword: str, value: str) -> None:
    """Set an attribute to text that is kept as it is, even where its length is not what the standard allows."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ReportError(f"there is no DICOM attribute of this name, got {keyword!r}")
    document.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))


def local(moment: datetime, offset: str) -> datetime:
    """Return the moment at an offset such as "+0900"; at this machine's where it is empty."""
    if not offset:
        return moment.astimezone()
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    return moment.astimezone(timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes)))


def series_uids(request: ReportRequest) -> tuple[str, str, str]:
    """Return the series instance UIDs of SR, SC and KO: those of the predecessor where there is one."""
    first = request.predecessor[2] if request.predecessor else uids.derive(request.seed, "SR", "series")
    return first, uids.derive(first, "SC", "series"), uids.derive(first, "KO", "series")


def evidence_sequence(origin: Origin, instances: Iterable[Instance]) -> list[Dataset]:
    """Return references to instances of the study, by series. PS3.3 C.17.2, macro Table C.17-3."""
    by_series: dict[str, list[Dataset]] = {}
    for instance in instances:
        by_series.setdefault(instance.series_instance_uid, []).append(reference(instance))
    if not by_series:
        return []
    study = Dataset()
    put(study, "StudyInstanceUID", origin.study_instance_uid)
    study.ReferencedSeriesSequence = []
    for series_instance_uid, references in by_series.items():
        series = Dataset()
        put(series, "SeriesInstanceUID", series_instance_uid)
        series.ReferencedSOPSequence = references
        study.ReferencedSeriesSequence.append(series)
    return [study]


def reference(instance: Instance) -> Dataset:
    """Return a reference to one instance. PS3.3 Table 10-11."""
    return pointer(instance.sop_class_uid, instance.sop_instance_uid)


def request_sequence(origin: Origin) -> list[Dataset]:
    """Return the orders that the source fulfilled. PS3.3 Table C.17-2, Referenced Request Sequence."""
    return [_order(origin, words) for words in origin.requests]


def _order(origin: Origin, words: Mapping[str, str]) -> Dataset:
    item = Dataset()
    put(item, "StudyInstanceUID", origin.study_instance_uid)
    item.ReferencedStudySequence = []
    put(item, "AccessionNumber", words.get("AccessionNumber") or origin.attributes["AccessionNumber"])
    item.PlacerOrderNumberImagingServiceRequest = ""
    item.FillerOrderNumberImagingServiceRequest = ""
    put(item, "RequestedProcedureID", words.get("RequestedProcedureID", ""))
    put(item, "RequestedProcedureDescription", words.get("RequestedProcedureDescription", ""))
    item.RequestedProcedureCodeSequence = []
    return item


def short(value: str, length: int = 64) -> str:
    """Return clean text of at most this length, with an ellipsis where it was cut."""
    value = clean(value)
    return value if len(value) <= length else value[: length - 3].rstrip() + "..."


def _file_meta(sop_class_uid: str, sop_instance_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = f"QAGATE_{qagate.__version__}"[:16]
    return meta
