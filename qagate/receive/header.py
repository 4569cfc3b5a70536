"""The few attributes that say what an object is, read from its encoded data set without decoding the rest."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
# whose whole data set is deflated; of Deflated Image Frame Compression (1.2.840.10008.1.2.8.1) only the frames are
_DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_WANTED = {
    0x00080016: "sop_class_uid",
    0x00080018: "sop_instance_uid",
    0x00080060: "modality",
    0x0020000D: "study_instance_uid",
    0x0020000E: "series_instance_uid",
}
_LAST_WANTED = max(_WANTED)

_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED_LENGTH = 0xFFFFFFFF
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # PS3.5 Table 7.1-2
)

HEAD_BYTES = 4 << 20
"""How far into a data set is read: private blocks before group 0020 can be large, but nobody may make us read on."""

_MAX_ELEMENTS = 20_000
_MAX_DEPTH = 64
_MAX_TEXT_BYTES = 64  # the longest UID (PS3.5 9.1); a modality has at most 16 characters


@dataclass(frozen=True, slots=True)
class Header:
    """What an object says about itself; empty where it does not, or where it cannot be read."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    modality: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""


def read_header(data_set: bytes | memoryview, transfer_syntax_uid: str) -> Header:
    """Return what the data set says about itself; never fails, however broken the data set is.

    At most HEAD_BYTES are looked at. A value that is too long for its attribute counts as absent. Source: PS3.5 7.
    """
    head = bytes(data_set[:HEAD_BYTES])
    if transfer_syntax_uid in _DEFLATED:
        try:
            head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, HEAD_BYTES)
        except zlib.error:
            return Header()
    found: dict[str, str] = {}
    try:
        for tag, value in _top_level(head, transfer_syntax_uid):
            name = _WANTED.get(tag)
            if name is not None and name not in found:
                found[name] = _text(value)
    except struct.error:
        pass  # the data set ends in the middle of an element: what was read until there stands
    return Header(**found)


def _text(value: bytes) -> str:
    text = value.decode("latin-1").rstrip(" \0") if len(value) <= _MAX_TEXT_BYTES else ""
    # one value, without characters that no database or log wants
    return "".join(c for c in text.partition("\\")[0].strip() if c.isprintable())


def _top_level(head: bytes, transfer_syntax_uid: str) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, value) of the elements outside of sequences, up to the last one that is wanted."""
    big = transfer_syntax_uid == _EXPLICIT_BIG_ENDIAN
    explicit = _looks_explicit(head, transfer_syntax_uid)
    order = ">" if big else "<"
    tag_and_length = struct.Struct(f"{order}HHI").unpack_from
    short_length = struct.Struct(f"{order}H").unpack_from
    long_length = struct.Struct(f"{order}I").unpack_from
    outer: list[bool] = []  # one entry for each open sequence or item of undefined length: was it explicit VR outside?
    offset = 0
    for _ in range(_MAX_ELEMENTS):
        group, element, length = tag_and_length(head, offset)
        tag = group << 16 | element
        if tag in (_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER):
            offset += 8
            if tag != _ITEM:
                explicit = outer.pop() if outer else explicit
            elif length == _UNDEFINED_LENGTH:
                outer.append(explicit)
            else:
                offset += length
            continue
        if not outer and tag > _LAST_WANTED:
            return
        vr = b""
        offset += 8
        if explicit:
            vr = head[offset - 4 : offset - 2]
            if vr in _LONG_VRS:
                (length,) = long_length(head, offset)
                offset += 4
            else:
                (length,) = short_length(head, offset - 2)
        if length == _UNDEFINED_LENGTH:
            if len(outer) >= _MAX_DEPTH:
                return
            outer.append(explicit)
            # a sequence of unknown VR is written as implicit VR little endian, PS3.5 6.2.2
            explicit = explicit and vr != b"UN"
            continue
        if not outer:
            yield tag, head[offset : offset + min(length, _MAX_TEXT_BYTES + 1)]
        offset += length


def _looks_explicit(head: bytes, transfer_syntax_uid: str) -> bool:
    # some senders encode otherwise than they negotiated: the first element tells
    vr = head[4:6]
    if vr in _SHORT_VRS or vr in _LONG_VRS:
        return True
    return transfer_syntax_uid != _IMPLICIT_LITTLE_ENDIAN and len(head) >= 8 and vr.isalpha() and vr.isupper()
