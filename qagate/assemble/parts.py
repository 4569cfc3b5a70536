"""Parts: how many frames an object holds, and whether all objects of a concatenation are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from qagate.assemble.headers import UNDEFINED_LENGTH, Header
from qagate.assemble.values import items_of, text_of, whole_of
from qagate.domain.finding import Finding, FindingCode, Severity

MAX_FRAMES = 200_000
BELIEVED = 1000
"""So many frames are looked for whatever an object can hold, so that those that were cut off are told one by one."""


def frames_of(header: Header) -> int:
    """Return how many frames an object holds, 1 to MAX_FRAMES. Source: PS3.3 C.7.6.6 and C.7.6.16.

    Number of Frames is believed, unless it is absent or 0, functional groups and pixels agree that there are more, or
    no such object could hold so many.
    """
    said, described, held = _counts(header)
    if said < 1:
        said = described or held
    elif described == held > said:
        said = held
    return max(1, min(said, max(described, 2 * _room(header, held), BELIEVED), MAX_FRAMES))


def _room(header: Header, held: int) -> int:
    """Return how many frames there is room for: each compressed one takes an item's head and two bytes at least."""
    return header.path.stat().st_size // 10 if header.pixel_length == UNDEFINED_LENGTH else held


def _counts(header: Header) -> tuple[int, int, int]:
    """Return the frames that Number of Frames says, that functional groups describe, and that the pixels fill.

    0 where that is not known; compressed frames are not counted.
    """
    dataset = header.dataset
    described = len(items_of(dataset, "PerFrameFunctionalGroupsSequence"))
    size = whole_of(dataset, "Rows") or 0
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(header.pixel_keyword, 16)
    for keyword, usual in (("Columns", 0), ("SamplesPerPixel", 1), ("BitsAllocated", bits)):
        size *= whole_of(dataset, keyword) or usual
    held = 8 * header.pixel_length // size if size > 0 and header.pixel_length != UNDEFINED_LENGTH else 0
    return max(0, whole_of(dataset, "NumberOfFrames") or 0), described, held


def promised(headers: Sequence[Header]) -> list[Finding]:
    """Return what objects promise and do not hold, or hold without saying so."""
    return [*_frames_unsaid(headers), *_parts_missing(headers)]


def _frames_unsaid(headers: Sequence[Header]) -> list[Finding]:
    uids, sentence = [], ""
    for header in headers:
        said, described, held = _counts(header)
        there = max(described if held >= described else 0, held)
        used = frames_of(header)
        if said > used:
            uids.append(text_of(header.dataset, "SOPInstanceUID"))
            sentence = sentence or f"Number of Frames says {said}, which no object of this size holds; {used} were used"
        if there > max(1, said):
            uids.append(text_of(header.dataset, "SOPInstanceUID"))
            sentence = sentence or (
                f"Number of Frames says {said or 'nothing'}, the pixel data hold {there} frames; {used} "
                + ("was used" if used == 1 else "were used")
            )
    severity = Severity.MODERATE
    return [Finding(FindingCode.CONTRADICTORY_TAGS, severity, sentence, tuple(uids))] if uids else []


def _parts_missing(headers: Sequence[Header]) -> list[Finding]:
    """Return a finding when objects of a concatenation did not come. Source: PS3.3 C.7.6.16.2.2.4."""
    came: dict[str, set[int]] = defaultdict(set)
    total: dict[str, int] = defaultdict(int)
    for header in headers:
        uid, number = text_of(header.dataset, "ConcatenationUID"), whole_of(header.dataset, "InConcatenationNumber")
        if uid and number is not None:
            came[uid].add(number)
            total[uid] = max(total[uid], number, whole_of(header.dataset, "InConcatenationTotalNumber") or 0)
    missing = sum(total[uid] - len(numbers) for uid, numbers in came.items() if total[uid] > len(numbers))
    if not missing:
        return []
    text = f"{missing} of {sum(total.values())} parts of a concatenation did not come"
    return [Finding(FindingCode.INCOMPLETE_SERIES, Severity.SEVERE, text)]
