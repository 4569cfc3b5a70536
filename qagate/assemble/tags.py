"""Tags: a whole data set laid out flat, as plain Python values, for the prompt and for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from qagate.assemble.values import MALFORMED, items_of, number_from, text_of
from qagate.assemble.vendors import b_value
from qagate.domain.volume import Tags, TagValue

MAX_TEXT = 4096
# What switches character sets: pydicom leaves that of GB 2312 (ISO 2022 IR 58) in the text. PS3.5 annex K.
_ESCAPE = re.compile(r"\x1b[ -/]+[0-~]")
_WHOLE = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
_REAL = frozenset({"DS", "FL", "FD"})
_TEXT = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_REQUESTS = ("RequestAttributesSequence",)
# Enhanced objects say the same facts under other keywords. Source: PS3.3 C.8.13.5 and C.8.15.3.
_ALIASES = (
    ("EffectiveEchoTime", "EchoTime"),
    ("InversionTimes", "InversionTime"),
    ("FrameType", "ImageType"),
    ("ContrastBolusAgentSequenceMeaning", "ContrastBolusAgent"),
)


def flatten(dataset: Dataset, frame: int = 0) -> Tags:
    """Return every public attribute of a data set as plain values, as `domain.volume.Tags` describes.

    frame: 0-based; whose per-frame functional groups are laid over the shared ones. Never raises: what is malformed is
    left out.
    """
    tags: dict[str, TagValue] = {}
    for keyword, vr, value in _elements(dataset):
        if vr == "SQ":
            if keyword not in _GROUPS:
                _code(tags, keyword, items_of(dataset, keyword))
        else:
            _put(tags, keyword, vr, value)
    for name in _REQUESTS:
        for item in items_of(dataset, name)[:1]:
            _lay(tags, item, over=False)
    shared = items_of(dataset, _GROUPS[0])[:1]
    own = items_of(dataset, _GROUPS[1])[frame : frame + 1]
    for groups in (*shared, *own):
        for keyword, vr, _ in _elements(groups):
            if vr == "SQ":
                items = items_of(groups, keyword)
                _code(tags, keyword, items)
                for item in items[:1]:
                    _lay(tags, item, over=True)
    if "DiffusionBValue" not in tags and (b := b_value(dataset)) is not None:
        tags["DiffusionBValue"] = b
    for source, target in _ALIASES:
        if target not in tags and source in tags:
            value = tags[source]
            tags[target] = value[0] if isinstance(value, tuple) and target != "ImageType" else value
    return tags


def _lay(tags: dict[str, TagValue], item: Dataset, *, over: bool) -> None:
    """Put the attributes of an item beside those of the data set."""
    for keyword, vr, value in _elements(item):
        if keyword in tags and not over:
            continue
        if vr == "SQ":
            _code(tags, keyword, items_of(item, keyword))
        else:
            _put(tags, keyword, vr, value)


def _elements(dataset: Dataset) -> Iterator[tuple[str, str, Any]]:
    try:
        found = sorted(int(tag) for tag in dataset.keys())  # noqa: SIM118  iterating a data set converts its values
    except MALFORMED:
        return
    for tag in found:
        keyword = "" if tag >> 16 & 1 else keyword_for_tag(tag)
        if not keyword or tag >> 16 in (0x5400, 0x7FE0):
            continue
        try:
            element = dataset[tag]
            yield keyword, str(element.VR), element.value
        except MALFORMED:
            continue


def _put(tags: dict[str, TagValue], keyword: str, vr: str, value: Any) -> None:
    if value is None or vr not in _WHOLE | _REAL | _TEXT:
        return
    several = isinstance(value, MultiValue | list | tuple)
    parts = list(value) if several else [value]
    if vr in _TEXT:
        words = tuple(_words(part) for part in parts)
        if any(words):
            tags[keyword] = words if several and len(words) > 1 else words[0]
        return
    numbers = [number_from(part) for part in parts]
    plain = tuple(number for number in numbers if number is not None)
    if not plain or len(plain) != len(numbers):
        return
    if len(plain) > 1:
        tags[keyword] = plain
    else:
        tags[keyword] = int(plain[0]) if vr in _WHOLE else plain[0]


def _words(value: Any) -> str:
    try:
        return _ESCAPE.sub("", str(value)).strip().strip("\x00").strip()[:MAX_TEXT]
    except MALFORMED:
        return ""


def _code(tags: dict[str, TagValue], keyword: str, items: tuple[Dataset, ...]) -> None:
    """Put the codes of a sequence, and of code sequences inside it, when its items are codes. PS3.3 section 8."""
    codes: list[str] = []
    meanings: list[str] = []
    for item in items:
        value = text_of(item, "CodeValue") or text_of(item, "LongCodeValue") or text_of(item, "URNCodeValue")
        if value:
            codes.append(f"{text_of(item, 'CodingSchemeDesignator')}:{value}")
            meanings.append(text_of(item, "CodeMeaning"))
        for inner, vr, _ in _elements(item):
            if vr == "SQ" and inner not in tags and inner.endswith("CodeSequence") | inner.endswith("ModifierSequence"):
                _code(tags, inner, items_of(item, inner))
    if codes:
        tags[keyword] = tuple(codes)
        tags[keyword + "Meaning"] = tuple(meanings)
