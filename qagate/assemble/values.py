"""Plain Python values out of a data set that may be malformed: none of these functions raises."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag, Tag

MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,  # RecursionError too: sequences nested without end
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom is known to raise on bytes that are not what they say they are."""


def value_of(dataset: Dataset, keyword: str) -> Any:
    """Return an element's value, or None when it is absent, empty or malformed. Never raises."""
    tag, vr = _known(keyword)
    try:
        element: Any = dataset.get_item(tag)
        if element is None:
            return None
        # Most values are plain ASCII or a few numbers; converting those here takes a tenth of pydicom's time.
        value = _quick(element, vr) if isinstance(element, RawDataElement) else _LATER
        if value is _LATER:
            value = dataset[tag].value
    except MALFORMED:
        return None
    return None if value is None or value == "" else value


def tag_of(keyword: str) -> BaseTag:
    """Return the tag of a keyword."""
    return _known(keyword)[0]


_LATER = object()
_ASCII = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "SH", "TM", "UI"})
_BINARY = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d"}


@lru_cache(maxsize=1024)
def _known(keyword: str) -> tuple[BaseTag, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"there is no attribute of this name, got {keyword!r}")
    return Tag(tag), dictionary_VR(tag)


def _quick(element: RawDataElement, dictionary_vr: str) -> Any:
    """Return an element's value where that is simple, else _LATER."""
    raw = element.value
    vr = element.VR if element.VR and element.VR != "UN" else dictionary_vr
    if raw is None:
        return _LATER
    if vr in _ASCII:
        if not raw.isascii() or b"\x1b" in raw:
            return _LATER
        text = raw.decode("ascii").strip(" \x00")
        return [part.strip(" \x00") for part in text.split("\\")] if "\\" in text else text
    code = _BINARY.get(vr)
    if code is None:
        return _LATER
    count = len(raw) // struct.calcsize("=" + code)
    order = "<" if element.is_little_endian else ">"
    numbers = struct.unpack_from(f"{order}{count}{code}", raw)
    return None if not numbers else numbers[0] if count == 1 else list(numbers)


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return an element as text, several values joined by a backslash; "" when absent."""
    return "\\".join(texts_of(dataset, keyword))


def texts_of(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return an element's values as text; () when absent."""
    value = value_of(dataset, keyword)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(_text(part) for part in _several(value))


def numbers_of(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Return an element's values as finite numbers; () when absent or when one of them is none."""
    value = value_of(dataset, keyword)
    if value is None:
        return ()
    numbers = tuple(number_from(part) for part in _several(value))
    return () if any(number is None for number in numbers) else tuple(n for n in numbers if n is not None)


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """Return an element's first value as a finite number, or None."""
    numbers = numbers_of(dataset, keyword)
    return numbers[0] if numbers else None


def whole_of(dataset: Dataset, keyword: str) -> int | None:
    """Return an element's first value as a whole number, or None."""
    number = number_of(dataset, keyword)
    return int(number) if number is not None and number == int(number) else None


def items_of(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence; () when it is absent or malformed."""
    value = value_of(dataset, keyword)
    if value is None or isinstance(value, str | bytes | int | float):
        return ()
    try:
        return tuple(item for item in value if isinstance(item, Dataset))
    except MALFORMED:
        return ()


def number_from(value: Any) -> float | None:
    """Return a finite float, or None. Takes text with blanks around it, and a comma for a point."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        value = value.strip().strip("\x00").replace(",", ".")
    try:
        number = float(value)
    except MALFORMED:
        return None
    return number if math.isfinite(number) else None


def _several(value: Any) -> Iterator[Any]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes) and not hasattr(value, "components"):
        yield from value
    else:
        yield value


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    try:
        return str(value).strip().strip("\x00").strip()
    except MALFORMED:
        return ""
