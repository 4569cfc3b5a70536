"""Fragments: where in a file the compressed frames are. Source: PS3.5 section A.4 and table A.4-1."""

from __future__ import annotations

import struct
from typing import BinaryIO

from qagate.assemble.layout import Layout
from qagate.errors import UnreadablePixels

_ITEM, _END = 0xE000FFFE, 0xE0DDFFFE  # as little endian words: (FFFE,E000) and (FFFE,E0DD)
_RLE_HEADER_BYTES = struct.pack("<L", 64)
"""Where the first segment begins: an RLE frame starts with the number of its segments and this. PS3.5 section G.5."""
_JPEG_STARTS = (b"\xff\xd8", b"\xff\x4f")
MAX_FRAGMENTS = 1_000_000


class Fragments:
    """The compressed frames of one file; the index is read once, the bytes when asked for."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        """Read the index. Raises UnreadablePixels when there is none."""
        self._file = file
        self._frames = _grouped(file, layout)

    def frame(self, number: int) -> bytes:
        """Return the compressed bytes of a frame (0-based). Raises UnreadablePixels."""
        if number >= len(self._frames):
            raise UnreadablePixels(f"the pixel data hold {len(self._frames)} frames, got a request for {number + 1}")
        parts = []
        for at, length in self._frames[number]:
            self._file.seek(at)
            part = self._file.read(length)
            if len(part) != length:
                raise UnreadablePixels(
                    f"the pixel data end too early: a fragment takes {length} bytes, got {len(part)}"
                )
            parts.append(part)
        return b"".join(parts)


def _grouped(file: BinaryIO, layout: Layout) -> list[list[tuple[int, int]]]:
    """Return, for each frame, the (offset, length) of its fragments."""
    items = _items(file, layout.offset)
    if not items:
        raise UnreadablePixels("the pixel data hold no items")
    (table_at, table_length), fragments = items[0], items[1:]
    if layout.frames == 1:
        return [fragments] if fragments else []
    if len(fragments) == layout.frames:
        return [[fragment] for fragment in fragments]
    first = fragments[0][0] - 8 if fragments else 0
    starts = [first + start + 8 for start in _offsets(file, layout, table_at, table_length)]
    if not _point_at(starts, fragments):
        starts = _by_marker(file, fragments)
        if len(starts) != layout.frames:
            raise UnreadablePixels(
                f"{layout.frames} frames in {len(fragments)} fragments need an offset table, got none"
            )
    return _cut(fragments, starts)


def _point_at(starts: list[int], fragments: list[tuple[int, int]]) -> bool:
    """Return whether an offset table points at fragments, the first one first: some archives write zeros or rubbish."""
    known = {at for at, _ in fragments}
    return (
        bool(starts and fragments)
        and starts[0] == fragments[0][0]
        and set(starts) <= known
        and sorted(set(starts)) == starts
    )


def _cut(fragments: list[tuple[int, int]], starts: list[int]) -> list[list[tuple[int, int]]]:
    frames: list[list[tuple[int, int]]] = [[] for _ in starts]
    ends = [*starts[1:], 1 << 62]
    number = 0
    for at, length in fragments:
        while number < len(ends) - 1 and at >= ends[number]:
            number += 1
        frames[number].append((at, length))
    return frames


def _items(file: BinaryIO, offset: int) -> list[tuple[int, int]]:
    """Return the (offset, length) of every item; a truncated last one is kept, reading it will say so."""
    found: list[tuple[int, int]] = []
    at = offset
    while len(found) < MAX_FRAGMENTS:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        tag, length = struct.unpack("<LL", head)
        if tag != _ITEM or length == 0xFFFFFFFF:
            break
        found.append((at + 8, length))
        at += 8 + length
    return found


def _offsets(file: BinaryIO, layout: Layout, at: int, length: int) -> list[int]:
    """Return the offsets of the extended or the basic offset table; [] when neither is usable."""
    if layout.offsets is not None and len(layout.offsets[0]) == 8 * layout.frames:
        return list(struct.unpack(f"<{layout.frames}Q", layout.offsets[0]))
    if length != 4 * layout.frames:
        return []
    file.seek(at)
    table = file.read(length)
    return list(struct.unpack(f"<{layout.frames}L", table)) if len(table) == length else []


def _by_marker(file: BinaryIO, fragments: list[tuple[int, int]]) -> list[int]:
    starts = []
    for at, _ in fragments:
        file.seek(at)
        start = file.read(8)
        if start[:2] in _JPEG_STARTS or (start[4:] == _RLE_HEADER_BYTES and 0 < start[0] < 16 and not any(start[1:4])):
            starts.append(at)
    return starts
