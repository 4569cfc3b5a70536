"""Evidence: what the reports take over from the source instances, made safe first.

Headers come straight from disk: any attribute may be absent, empty, malformed or in any character set. Nothing here
raises for that; what cannot be read is left empty, what identifies the patient or the order is never shortened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydicom import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from qagate.report import uids
from qagate.report.attribute import items, number, said, text, uid

REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Type 2 in the Patient and General Study modules: written even when empty. PS3.3 C.7.1.1, C.7.2.1."""

OPTIONAL = (
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "PatientBirthTime",
    "PatientAge",
    "EthnicGroup",
    "StudyDescription",
    "InstitutionName",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
)
"""Written only where the source has them."""

ISSUERS = ("IssuerOfPatientIDQualifiersSequence", "IssuerOfAccessionNumberSequence")
"""Who gave a number: where several hospitals share an archive, the same number without it is another patient's."""

_ISSUER = ("LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType")

WORDS = (
    *("SeriesDescription", "ProtocolName", "SeriesNumber", "StationName"),
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"),
)
"""Shown to people."""

_ESSENTIAL = tuple(
    Tag(keyword)
    for keyword in (
        *(*REQUIRED, *OPTIONAL, *WORDS),
        *(
            *ISSUERS,
            "SpecificCharacterSet",
            "PatientIdentityRemoved",
            "DeidentificationMethod",
            "TimezoneOffsetFromUTC",
        ),
        *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
        *("InstanceNumber", "NumberOfFrames", "Rows", "LossyImageCompression", "RequestAttributesSequence"),
    )
)
"""All that `normalise` reads."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One source instance that a report can point at. frames: 1 for single-frame objects. number: Instance Number."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    frames: int
    is_image: bool
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What the reports take over from the source series.

    attributes: keyword → text for the Patient and Study modules, REQUIRED always there, empty where unknown.
    issuers: keyword of ISSUERS → who gave the number. timezone: offset from UTC as "+0900", empty when the source does
    not say. requests: the identifiers of each order that the series fulfils. words: keyword → text shown to people
    (series description and the like).
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    instances: tuple[Instance, ...]
    attributes: Mapping[str, str]
    issuers: Mapping[str, Mapping[str, str]]
    timezone: str
    requests: tuple[Mapping[str, str], ...]
    words: Mapping[str, str]
    lossy: bool

    def instance(self, sop_instance_uid: str) -> Instance | None:
        """Return the instance with this UID, None when no header came for it."""
        return next((i for i in self.instances if i.sop_instance_uid == sop_instance_uid), None)


def essentials(header: Dataset) -> Dataset:
    """Return a header with no more than the reports need: what is kept while a series is judged must be small."""
    kept = Dataset({tag: header.get_item(tag) for tag in _ESSENTIAL if tag in header})
    implicit, little = header.original_encoding
    kept.set_original_encoding(implicit, little, header.original_character_set)
    if (meta := getattr(header, "file_meta", None)) is not None:
        kept.file_meta = meta
    return kept


def normalise(headers: Sequence[Dataset], study_instance_uid: str, series_instance_uid: str) -> Origin:
    """Return what the headers say, made safe; the two UIDs stand in where the headers have none.

    Patient and study attributes all come from one header, the first with a Patient ID, so that two patients are never
    mixed. Instances of another study, without UIDs, or listed before, are left out.
    """
    chosen = next((h for h in headers if text(h, "PatientID")), headers[0] if headers else Dataset())
    study = uid(chosen, "StudyInstanceUID") or study_instance_uid
    series = uid(chosen, "SeriesInstanceUID") or series_instance_uid
    # an object without these was never in a study; the document still needs both, and always the same
    study = study or uids.derive("study", *(uid(h, "SOPInstanceUID") for h in headers))
    series = series or uids.derive("series", *(uid(h, "SOPInstanceUID") for h in headers))
    attributes = {keyword: text(chosen, keyword) for keyword in REQUIRED}
    attributes |= {keyword: value for keyword in OPTIONAL if (value := text(chosen, keyword))}
    if text(chosen, "PatientIdentityRemoved") == "YES" and (method := text(chosen, "DeidentificationMethod")):
        attributes |= {"PatientIdentityRemoved": "YES", "DeidentificationMethod": method}
    instances: dict[str, Instance] = {}
    for header in headers:
        found = _instance(header, study, series)
        if found is not None:
            instances.setdefault(found.sop_instance_uid, found)
    return Origin(
        study_instance_uid=study,
        series_instance_uid=series,
        modality=text(chosen, "Modality"),
        instances=tuple(instances.values()),
        attributes=MappingProxyType(attributes),
        issuers=MappingProxyType(
            {keyword: words for keyword in ISSUERS for item in items(chosen, keyword)[:1] if (words := _issuer(item))}
        ),
        timezone=text(chosen, "TimezoneOffsetFromUTC"),
        requests=_requests(chosen),
        words=MappingProxyType({keyword: text(chosen, keyword) for keyword in WORDS}),
        lossy=any(text(header, "LossyImageCompression") == "01" for header in headers),
    )


def _instance(header: Dataset, study: str, series: str) -> Instance | None:
    own_study = uid(header, "StudyInstanceUID")
    meta = getattr(header, "file_meta", None) or Dataset()
    sop_instance = uid(header, "SOPInstanceUID") or uid(meta, "MediaStorageSOPInstanceUID")
    sop_class = uid(header, "SOPClassUID") or uid(meta, "MediaStorageSOPClassUID")
    if not sop_instance or not sop_class or (own_study and own_study != study):
        return None
    frames = max(1, number(header, "NumberOfFrames") or 0)
    keyword = UID(sop_class).keyword if UID(sop_class).is_valid else ""
    image = "Image" in keyword or (number(header, "Rows") or 0) > 0
    instance_number = number(header, "InstanceNumber")
    return Instance(sop_class, sop_instance, uid(header, "SeriesInstanceUID") or series, frames, image, instance_number)


def _requests(header: Dataset) -> tuple[Mapping[str, str], ...]:
    """Return the identifiers of the orders that were fulfilled: chest and abdomen may be two, scanned in one go.

    Source: PS3.3 C.7.3.1, Request Attributes Sequence.
    """
    keywords = ("RequestedProcedureID", "RequestedProcedureDescription", "AccessionNumber")
    found: list[Mapping[str, str]] = []
    for item in items(header, "RequestAttributesSequence"):
        words = said(item, keywords)
        if ("RequestedProcedureID" in words or "AccessionNumber" in words) and words not in found:
            found.append(words)
    return tuple(found)


def _issuer(item: Dataset) -> dict[str, str]:
    """Return who gave a number. An entity and its type are one or nothing. PS3.3 Table 10-17."""
    words = said(item, _ISSUER)
    if not {"UniversalEntityID", "UniversalEntityIDType"} <= words.keys():
        return {keyword: value for keyword, value in words.items() if keyword == "LocalNamespaceEntityID"}
    return words
