"""What vendors say in private attributes only: diffusion weighting and gradient direction."""

from __future__ import annotations

import struct
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from qagate.assemble.values import MALFORMED, items_of, number_from, number_of, numbers_of

# (group, private creator, element within its block). GE adds 1e9 to mark its coded form; the b-value is what is left
# after removing it.
_B_VALUES = (
    (0x0019, "SIEMENS MR HEADER", 0x0C),
    (0x0043, "GEMS_PARM_01", 0x39),
    (0x2001, "Philips Imaging DD 001", 0x03),
    (0x0065, "Image Private Header", 0x09),
)
_DIRECTIONS = (
    (0x0019, "SIEMENS MR HEADER", (0x0E,)),
    (0x0019, "GEMS_ACQU_01", (0xBB, 0xBC, 0xBD)),
    (0x2005, "Philips MR Imaging DD 001", (0xB0, 0xB1, 0xB2)),
    (0x0065, "Image Private Header", (0x37,)),
)
_MAX_B = 100_000.0


def b_value(dataset: Dataset) -> float | None:
    """Return the diffusion weighting in s/mm², or None when the data set does not say. Source: PS3.3 C.8.13.5.9."""
    plain = number_of(dataset, "DiffusionBValue")
    if plain is None:
        for item in items_of(dataset, "MRDiffusionSequence")[:1]:
            plain = number_of(item, "DiffusionBValue")
    if plain is not None:
        return plain
    for group, creator, element in _B_VALUES:
        numbers = private_numbers(dataset, group, creator, element)
        if numbers:
            b = numbers[0] % 1e5 if numbers[0] >= 1e9 else numbers[0]
            if 0 <= b < _MAX_B:
                return b
    return None


def gradient_direction(dataset: Dataset) -> tuple[float, ...]:
    """Return the diffusion gradient direction (3 components), or () when the data set does not say."""
    plain = numbers_of(dataset, "DiffusionGradientOrientation")
    if len(plain) == 3:
        return plain
    for group, creator, elements in _DIRECTIONS:
        parts = [number for e in elements for number in private_numbers(dataset, group, creator, e)]
        if len(parts) == 3:
            return tuple(parts)
    return ()


def private_value(dataset: Dataset, group: int, creator: str, element: int) -> Any:
    """Return a private element's value, or None. Source: PS3.5 section 7.8.1."""
    try:
        for block in range(0x10, 0x20):  # in practice the first few; a creator beyond is not looked for
            held: Any = dataset.get_item(BaseTag(group << 16 | block))
            if held is None:
                continue
            name = held.value.decode("latin-1") if isinstance(held.value, bytes) else str(held.value)
            if name.strip(" \x00") == creator:
                tag = BaseTag(group << 16 | block << 8 | element)
                return None if dataset.get_item(tag) is None else dataset[tag].value
    except MALFORMED:
        pass
    return None


def private_numbers(dataset: Dataset, group: int, creator: str, element: int) -> tuple[float, ...]:
    """Return a private element's numbers, also when its VR was lost on the way (UN); () when there are none."""
    value = private_value(dataset, group, creator, element)
    if value is None:
        return ()
    if isinstance(value, bytes):
        value = _from_bytes(value)
    elif isinstance(value, str | int | float):
        value = str(value).split("\\")
    try:
        numbers = [number_from(part) for part in value]
    except MALFORMED:
        return ()
    return tuple(number for number in numbers if number is not None)


def _from_bytes(value: bytes) -> list[Any]:
    text = value.decode("ascii", "replace").strip("\x00 ")
    if text and all(character in "0123456789+-.eE\\ " for character in text):
        return text.split("\\")
    if len(value) in (8, 24):
        return list(struct.unpack(f"<{len(value) // 8}d", value))
    if len(value) == 4:
        return list(struct.unpack("<f", value))
    return []
