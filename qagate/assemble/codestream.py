"""Codestream: the size that a compressed frame says it has, read before a decoder allocates memory for it."""

from __future__ import annotations

import struct

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Start of frame: JPEG (not DHT, JPG, DAC) and JPEG-LS
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})


def size_of(code: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream; None when it does not say (RLE).

    Source: ITU-T T.81 B.2.2, T.87 C.2.2, T.800 A.5.1.
    """
    if code[:2] == b"\xff\x4f":
        return _jpeg_2000(code, 2)
    if code[4:8] == b"jP  ":
        at = code.find(b"\xff\x4f\xff\x51")
        return _jpeg_2000(code, at + 2) if at > 0 else None
    if code[:2] == b"\xff\xd8":
        return _jpeg(code)
    return None


def _jpeg_2000(code: bytes, at: int) -> tuple[int, int] | None:
    if code[at : at + 2] != b"\xff\x51" or len(code) < at + 22:
        return None
    right, bottom, left, top = struct.unpack_from(">4L", code, at + 6)
    return (bottom - top, right - left)


def _jpeg(code: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(code):
        if code[at] != 0xFF:
            return None
        marker = code[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _FRAMES:
            rows, columns = struct.unpack_from(">HH", code, at + 5)
            return rows, columns
        if marker == 0xDA:
            return None
        at += 2 if marker in _STANDALONE else 2 + int(struct.unpack_from(">H", code, at + 2)[0])
    return None
