"""Plain Python values out of a data set that may be malformed: none of these functions raises."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

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
    try:
        value = dataset.get(keyword)
    except MALFORMED:
        return None
    return None if value is None or value == "" else value


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return an element as text, several values joined by a backslash; "" when absent."""
    return "\\".join(texts_of(dataset, keyword))


def texts_of(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return an element's values as text; () when absent."""
    value = value_of(dataset, keyword)
    if value is None:
        return ()
    return tuple(_text(part) for part in _several(value))


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
