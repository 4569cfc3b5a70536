"""The file around a received data set: preamble and file meta information. Source: PS3.10 7.1."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from qagate.domain.series import Announced
from qagate.errors import NotDicom

_PREAMBLE_AND_PREFIX = b"\0" * 128 + b"DICM"
_MAX_META_BYTES = 1 << 16
_DIGEST_BYTES = 32
_LONG_VRS = (b"OB", b"OW", b"UN", b"UT", b"SQ")


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the file says about its data set.

    `sha256` is the hex digest of the data set as received; it stands in the private information, so that the spool can
    be taken stock of without reading every pixel again. It is empty in files that others wrote. `called_ae_title` is
    empty where nobody called us: we fetched it. `announced` stands behind the digest, and only where it is needed.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str = ""
    called_ae_title: str = ""
    sha256: str = ""
    announced: Announced | None = None


def encode(meta: FileMeta) -> bytes:
    """Return preamble, prefix and file meta information; the data set follows directly."""
    elements = [
        _element(0x0001, b"OB", b"\0\1"),
        _element(0x0002, b"UI", meta.sop_class_uid.encode("latin-1", "replace")),
        _element(0x0003, b"UI", meta.sop_instance_uid.encode("latin-1", "replace")),
        _element(0x0010, b"UI", meta.transfer_syntax_uid.encode("latin-1", "replace")),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
        _element(0x0016, b"AE", meta.calling_ae_title.encode("latin-1", "replace")),
        _element(0x0018, b"AE", meta.called_ae_title.encode("latin-1", "replace")),
        _element(0x0100, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
        _element(0x0102, b"OB", bytes.fromhex(meta.sha256) + _as_text(meta.announced)),
    ]
    body = b"".join(elements)
    return _PREAMBLE_AND_PREFIX + _element(0x0000, b"UL", struct.pack("<I", len(body))) + body


def decode(stream: BinaryIO) -> tuple[FileMeta, int]:
    """Read the file meta information from the start of a file; return it and the offset of the data set, in bytes.

    Raises NotDicom if there is none.
    """
    if stream.read(132)[128:] != b"DICM":
        raise NotDicom("a DICOM file must have the prefix DICM at byte 128, got something else")
    values: dict[int, bytes] = {}
    offset, end = 132, 132 + _MAX_META_BYTES
    while offset < end:
        head = stream.read(8)
        if len(head) < 8 or head[:2] != b"\2\0":
            break
        element = struct.unpack_from("<H", head, 2)[0]
        length = struct.unpack_from("<H", head, 6)[0]
        offset += 8
        if head[4:6] in _LONG_VRS:
            tail = stream.read(4)
            if len(tail) < 4:
                break
            length = struct.unpack("<I", tail)[0]
            offset += 4
        if length > _MAX_META_BYTES:
            raise NotDicom(f"file meta information must stay under {_MAX_META_BYTES} bytes, got {length}")
        values[element] = stream.read(length)
        offset += length
        if element == 0x0000 and length == 4:
            end = offset + struct.unpack("<I", values[0])[0]
    if 0x0010 not in values:
        raise NotDicom("file meta information must name the transfer syntax (0002,0010), got none")
    ours = values.get(0x0102, b"") if _text(values, 0x0100) == IMPLEMENTATION_CLASS_UID else b""
    meta = FileMeta(
        sop_class_uid=_text(values, 0x0002),
        sop_instance_uid=_text(values, 0x0003),
        transfer_syntax_uid=_text(values, 0x0010),
        calling_ae_title=_text(values, 0x0016),
        called_ae_title=_text(values, 0x0018),
        sha256=ours[:_DIGEST_BYTES].hex(),
        announced=_from_text(ours[_DIGEST_BYTES:]),
    )
    return meta, offset


def _as_text(announced: Announced | None) -> bytes:
    return f"{announced.sop_class_uid} {announced.sop_instance_uid}".encode("latin-1", "replace") if announced else b""


def _from_text(text: bytes) -> Announced | None:
    sop_class_uid, between, sop_instance_uid = text.decode("latin-1").rstrip("\0").partition(" ")
    return Announced(sop_class_uid, sop_instance_uid) if between else None


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    if len(value) % 2:
        value += b" " if vr in (b"AE", b"SH") else b"\0"
    if vr == b"OB":
        return struct.pack("<HH2sHI", 2, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def _text(values: dict[int, bytes], element: int) -> str:
    return values.get(element, b"").decode("latin-1").rstrip(" \0").strip()
