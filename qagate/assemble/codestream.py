"""Codestream: what a compressed frame says of itself, read before a decoder allocates memory for it."""

from __future__ import annotations

import struct

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Start of frame: JPEG (not DHT, JPG, DAC) and JPEG-LS
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})

_JPEG, _RLE = "1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5"
_JPEG_2000 = (_JPEG + "9", _JPEG + "20")  # HTJ2K has the markers of JPEG 2000
_JPEG_KINDS = {
    0xC0: (_JPEG + "50", _JPEG + "51"),
    0xC1: (_JPEG + "51", _JPEG + "50"),
    0xC3: (_JPEG + "70", _JPEG + "57"),
    0xF7: (_JPEG + "80", _JPEG + "81"),
}


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
        frame = _jpeg_frame(code)
        return frame and frame[1:]
    return None


def syntax_of(code: bytes, said: str) -> str:
    """Return the transfer syntax that a compressed frame is of; `said` where that is true of it, or nothing tells.

    Files are exported with the transfer syntax of another state of their pixels. Source: PS3.5 section A.4, annex G.5.
    """
    if code[:2] == b"\xff\x4f" or code[4:8] == b"jP  ":
        return said if said.startswith(_JPEG_2000) else _JPEG + "90"
    frame = _jpeg_frame(code) if code[:2] == b"\xff\xd8" else None
    if frame is not None:
        allowed = _JPEG_KINDS.get(frame[0], (said,))
        return said if said in allowed else allowed[0]
    if len(code) > 64:
        segments, first = struct.unpack_from("<2L", code)
        return _RLE if 0 < segments < 16 and first == 64 else said
    return said


def _jpeg_2000(code: bytes, at: int) -> tuple[int, int] | None:
    if code[at : at + 2] != b"\xff\x51" or len(code) < at + 22:
        return None
    right, bottom, left, top = struct.unpack_from(">4L", code, at + 6)
    return (bottom - top, right - left)


def _jpeg_frame(code: bytes) -> tuple[int, int, int] | None:
    """Return the kind of a JPEG or JPEG-LS frame (the second byte of its marker), rows and columns."""
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
            return marker, rows, columns
        if marker == 0xDA:
            return None
        at += 2 if marker in _STANDALONE else 2 + int(struct.unpack_from(">H", code, at + 2)[0])
    return None
