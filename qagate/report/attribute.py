"""Attribute: what one header says in one place, made safe: text, UIDs, numbers and items, whatever the bytes are."""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

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


def number(header: Dataset, keyword: str) -> int | None:
    try:
        return int(text(header, keyword))
    except ValueError:
        return None


def items(header: Dataset, keyword: str) -> list[Dataset]:
    try:
        items: Any = list(header.get(keyword) or ())
    except READ_FAULTS:
        return []
    return [item for item in items if isinstance(item, Dataset)]


def said(item: Dataset, keywords: Sequence[str]) -> dict[str, str]:
    return {keyword: value for keyword in keywords if (value := text(item, keyword))}
