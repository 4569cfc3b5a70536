"""DICOM headers: read one without its pixels, and lay its values out flat and plain."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import dcmread, read_dataset, read_partial

from qagate.assemble.deflate import INFLATED_UID, inflate
from qagate.assemble.tags import flatten
from qagate.assemble.values import MALFORMED
from qagate.errors import NotDicom

__all__ = ["MAX_FILE_BYTES", "UNDEFINED_LENGTH", "Header", "flatten", "open_header", "read_header"]

UNDEFINED_LENGTH = 0xFFFFFFFF
MAX_FILE_BYTES = 4 << 30
_PIXEL_TAGS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_EXPLICIT_PIXEL_VRS = (b"OB", b"OW", b"OF", b"OD", b"UN")
_IMPLICIT_LITTLE, _EXPLICIT_LITTLE, _EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """One object without its pixels, and where in the file its pixels are.

    pixel_offset: byte of the first pixel (or first item, when encapsulated) in the file, or in the inflated data set
    when the transfer syntax is the deflated one; None when there are no pixels. pixel_length: bytes as the element
    says, UNDEFINED_LENGTH when encapsulated.
    """

    path: Path
    dataset: Dataset
    transfer_syntax_uid: str
    pixel_keyword: str = ""
    pixel_offset: int | None = None
    pixel_length: int = 0


def read_header(path: Path) -> Dataset:
    """Return the data set of a file without its pixels. Raises NotDicom. Source: PS3.10 section 7."""
    return open_header(path).dataset


def open_header(path: Path, max_file_bytes: int = MAX_FILE_BYTES) -> Header:
    """Read one header: without preamble, without file meta, truncated, big endian and deflated are all taken.

    Raises NotDicom when the bytes are no DICOM object or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > max_file_bytes:
            raise NotDicom(f"{path.name} is larger than the limit of {max_file_bytes} bytes, got {size}")
        with path.open("rb") as file:
            start = file.read(1024)
            if not _looks_like_dicom(start):
                raise NotDicom(f"{path.name} does not start as a DICOM object does, got {start[:8]!r}")
            file.seek(0)
            header = _deflated(path, file, max_file_bytes) if INFLATED_UID in start else _plain(path, file)
        dataset = header.dataset
        if not any(dataset.get(keyword) for keyword in ("SOPClassUID", "SOPInstanceUID", "Modality", "Rows")):
            raise NotDicom(f"{path.name} holds no DICOM object, got {len(dataset)} attributes and no SOP Class UID")
    except MALFORMED as error:
        raise NotDicom(f"{path.name} cannot be read as DICOM, got {type(error).__name__}: {_short(error)}") from None
    return header


def _looks_like_dicom(start: bytes) -> bool:
    if start[128:132] == b"DICM":
        return True
    if len(start) < 8:
        return False
    # Without preamble: the first tag belongs to group 0002 or 0008 (either byte order), with a sane second half.
    little, big = struct.unpack("<HH", start[:4]), struct.unpack(">HH", start[:4])
    return little[0] in (0x0002, 0x0008) or big[0] == 0x0008


def _plain(path: Path, file: BinaryIO) -> Header:
    dataset = read_partial(file, stop_when=_at_pixels, force=True)
    uid = str(dataset.file_meta.get("TransferSyntaxUID") or "") if dataset.file_meta else ""
    if not uid:
        implicit, little = dataset.original_encoding
        uid = _IMPLICIT_LITTLE if implicit else _EXPLICIT_LITTLE if little else _EXPLICIT_BIG
    return Header(path, dataset, uid, *_pixel_place(file, big_endian=uid == _EXPLICIT_BIG))


def _deflated(path: Path, file: BinaryIO, max_bytes: int) -> Header:
    body, meta = inflate(file, max_bytes)
    buffer = BytesIO(body)
    dataset = read_dataset(buffer, False, True, stop_when=_at_pixels)
    dataset.file_meta = FileMetaDataset(dcmread(BytesIO(meta), force=True).file_meta)
    return Header(path, dataset, INFLATED_UID.decode(), *_pixel_place(buffer, big_endian=False))


def _at_pixels(tag: Any, vr: str | None, length: int) -> bool:
    return int(tag) in _PIXEL_TAGS


def _pixel_place(file: BinaryIO, *, big_endian: bool) -> tuple[str, int | None, int]:
    """Read the element header of the pixel data, at which the reader stopped. Source: PS3.5 section 7.1."""
    start = file.tell()
    head = file.read(12)
    if len(head) < 8:
        return "", None, 0
    order = ">" if big_endian else "<"
    group, element = struct.unpack(order + "HH", head[:4])
    keyword = _PIXEL_TAGS.get(group << 16 | element, "")
    if not keyword:
        return "", None, 0
    if head[4:6] in _EXPLICIT_PIXEL_VRS:
        if len(head) < 12:
            return "", None, 0
        return keyword, start + 12, struct.unpack(order + "L", head[8:12])[0]
    return keyword, start + 8, struct.unpack(order + "L", head[4:8])[0]


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
