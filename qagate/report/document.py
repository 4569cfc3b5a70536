"""Document: one answer in DICOM, in one or several SOP classes, and how it gets onto disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import Literal

from pydicom import DataElement, Dataset
from pydicom.charset import default_encoding
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import VR

from qagate.errors import OutboxError

_LAST_OF_ITS_OWN = Tag("SOPInstanceUID")
"""Behind it variants share their elements."""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One answer. variants: the same content in the SOP classes a peer may accept, the richest first."""

    kind: Literal["SR", "SC", "KO"]
    variants: tuple[Dataset, ...]

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write each variant as a DICOM file named by its SOP Instance UID, safe on disk when this returns.

        The same document may be written again: the file is replaced in one step. Returns the paths in the order of
        `variants`. Raises OutboxError when the folder cannot take them.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths = tuple(
                _write(data, folder / f"{variant.SOPInstanceUID}.dcm")
                for variant, data in zip(self.variants, encoded(self.variants), strict=True)
            )
            _sync(folder)
        except OSError as error:
            raise OutboxError(f"{self.kind} cannot be written to {folder}: got {error.strerror}") from error
        return paths


def encoded(variants: Sequence[Dataset]) -> Iterator[bytes]:
    """Yield each variant as the bytes of its file; what all share, nearly everything, is encoded once.

    Sharing means the same objects, see `qagate.report.sr`, not just equal ones.
    """
    kept, body = Dataset(), b""
    for variant in variants:
        buffer = BytesIO()
        if variant.file_meta.TransferSyntaxUID != ExplicitVRLittleEndian:
            variant.save_as(buffer, enforce_file_format=True)
        else:
            head, rest = Dataset(), Dataset()
            for element in variant:
                (head if element.tag <= _LAST_OF_ITS_OWN else rest).add(element)
            if len(rest) != len(kept) or any(a is not b for a, b in zip(rest, kept, strict=True)):
                kept, body = rest, _body(rest, variant.get("SpecificCharacterSet", "ISO_IR 6"))
            head.file_meta = variant.file_meta
            head.save_as(buffer, enforce_file_format=True)
            buffer.write(body)
        yield buffer.getvalue()


def _body(elements: Dataset, character_set: str) -> bytes:
    _explicit(elements)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, elements, character_set)
    return buffer.getvalue()


def _explicit(elements: Dataset) -> None:
    """Tell the writer that there is no value representation to settle, down to the last item.

    Else it looks for one in every item and in all that lies below, and decodes what `qagate.report.alike` encoded.
    """
    elements.set_original_encoding(False, True, default_encoding)
    for element in elements.values():
        if element.VR == VR.SQ and isinstance(element, DataElement):
            for item in element.value:
                _explicit(item)


def _write(data: bytes, path: Path) -> Path:
    partial = path.with_suffix(f".{token_hex(4)}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
