"""Evidence: what the reports take over from the source instances, made safe first.

Headers come straight from disk: any attribute may be absent, empty, malformed or in any character set. Nothing here
raises for that; what cannot be read is left empty, what identifies the patient or the order is never shortened.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import UID

from qagate.report import uids

READ_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)
"""What reading one malformed element can raise; OSError comes from values that are fetched from the file late."""

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

WHOLE = frozenset({"PatientName", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyID"})
"""What identifies is kept at any length, and with all its values: a shortened number is another patient's."""

LONGEST = 1024
LENGTHS = MappingProxyType({"SH": 16, "CS": 16, "LO": 64, "PN": 64, "LT": 1024})

_DATE = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})")
_TIME = re.compile(r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?)?")
_AGE = re.compile(r"\d{3}[DWMY]")
_OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")
_ESCAPE = re.compile(r"\x1b[ -/]+[0-~]")
"""What switches character sets: pydicom leaves that of GB 2312 (ISO 2022 IR 58) in the text. PS3.5 annex K."""


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
            {keyword: words for keyword in ISSUERS for item in _items(chosen, keyword)[:1] if (words := _issuer(item))}
        ),
        timezone=text(chosen, "TimezoneOffsetFromUTC"),
        requests=_requests(chosen),
        words=MappingProxyType({keyword: text(chosen, keyword) for keyword in WORDS}),
        lossy=any(text(header, "LossyImageCompression") == "01" for header in headers),
    )


def text(header: Dataset, keyword: str) -> str:
    """Return an attribute as clean text, empty when it is absent, malformed or not readable.

    Of several values the first; all of them, as the source has them, of what identifies (a number with a backslash).
    """
    try:
        if keyword not in header:
            return ""
        element = header[keyword]
        value, vr = element.value, str(element.VR)
        values = list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]
        kept = [v for v in (values if keyword in WHOLE else values[:1]) if v is not None]
        if any(isinstance(one, (bytes, bytearray, Dataset)) for one in kept):
            return ""
        words = [clean(str(one)) for one in kept]
    except READ_FAULTS:
        return ""
    return _checked(keyword, vr, "\\".join(words))


def uid(header: Dataset, keyword: str) -> str:
    """Return a UID, empty when it is absent or could not be one."""
    found = text(header, keyword)
    return found if _UID.fullmatch(found) and len(found) <= 64 else ""


def clean(raw: str) -> str:
    """Return text without escape sequences, control characters, lone surrogates and backslashes, trimmed."""
    kept = (c for c in _ESCAPE.sub("", raw).replace("\\", "/") if unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(kept).strip(" ")


def _checked(keyword: str, vr: str, value: str) -> str:
    """Return the value if it is what its attribute allows, else empty: type 2, so empty beats wrong."""
    if keyword == "TimezoneOffsetFromUTC":
        return value if _OFFSET.fullmatch(value) else ""
    if keyword == "PatientSex":
        return value if value in ("M", "F", "O") else ""
    if vr == "DA":
        return _date(value)
    if vr == "TM":
        found = _TIME.fullmatch(value)
        return "".join(part for part in found.groups() if part) if found else ""
    if vr == "AS":
        return value if _AGE.fullmatch(value) else ""
    if vr == "CS":
        return value if _CODE_STRING.fullmatch(value) else ""
    if keyword in WHOLE:
        return value[:LONGEST]
    return value[: LENGTHS.get(vr, LONGEST)]


def _date(value: str) -> str:
    found = _DATE.fullmatch(value)
    if not found:
        return ""
    year, month, day = (int(part) for part in found.groups())
    try:
        return date(year, month, day).strftime("%Y%m%d").rjust(8, "0")
    except ValueError:
        return ""


def _instance(header: Dataset, study: str, series: str) -> Instance | None:
    own_study = uid(header, "StudyInstanceUID")
    meta = getattr(header, "file_meta", None) or Dataset()
    sop_instance = uid(header, "SOPInstanceUID") or uid(meta, "MediaStorageSOPInstanceUID")
    sop_class = uid(header, "SOPClassUID") or uid(meta, "MediaStorageSOPClassUID")
    if not sop_instance or not sop_class or (own_study and own_study != study):
        return None
    frames = max(1, _number(header, "NumberOfFrames") or 0)
    keyword = UID(sop_class).keyword if UID(sop_class).is_valid else ""
    image = "Image" in keyword or (_number(header, "Rows") or 0) > 0
    number = _number(header, "InstanceNumber")
    return Instance(sop_class, sop_instance, uid(header, "SeriesInstanceUID") or series, frames, image, number)


def _number(header: Dataset, keyword: str) -> int | None:
    try:
        return int(text(header, keyword))
    except ValueError:
        return None


def _requests(header: Dataset) -> tuple[Mapping[str, str], ...]:
    """Return the identifiers of the orders that were fulfilled: chest and abdomen may be two, scanned in one go.

    Source: PS3.3 C.7.3.1, Request Attributes Sequence.
    """
    keywords = ("RequestedProcedureID", "RequestedProcedureDescription", "AccessionNumber")
    found: list[Mapping[str, str]] = []
    for item in _items(header, "RequestAttributesSequence"):
        words = _said(item, keywords)
        if ("RequestedProcedureID" in words or "AccessionNumber" in words) and words not in found:
            found.append(words)
    return tuple(found)


def _issuer(item: Dataset) -> dict[str, str]:
    """Return who gave a number. An entity and its type are one or nothing. PS3.3 Table 10-17."""
    words = _said(item, _ISSUER)
    if not {"UniversalEntityID", "UniversalEntityIDType"} <= words.keys():
        return {keyword: value for keyword, value in words.items() if keyword == "LocalNamespaceEntityID"}
    return words


def _items(header: Dataset, keyword: str) -> list[Dataset]:
    try:
        items: Any = list(header.get(keyword) or ())
    except READ_FAULTS:
        return []
    return [item for item in items if isinstance(item, Dataset)]


def _said(item: Dataset, keywords: Sequence[str]) -> dict[str, str]:
    return {keyword: value for keyword in keywords if (value := text(item, keyword))}
