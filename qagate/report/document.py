"""Document: one answer in DICOM, in one or several SOP classes, and how it gets onto disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

from pydicom import Dataset

from qagate.errors import ReportError


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One answer. variants: the same content in the SOP classes a peer may accept, the richest first."""

    kind: Literal["SR", "SC", "KO"]
    variants: tuple[Dataset, ...]

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write each variant as a DICOM file named by its SOP Instance UID, safe on disk when this returns.

        The same document may be written again: the file is replaced in one step. Returns the paths in the order of
        `variants`. Raises ReportError when the folder cannot take them.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths = tuple(_write(variant, folder) for variant in self.variants)
            _sync(folder)
        except OSError as error:
            raise ReportError(f"{self.kind} cannot be written to {folder}: got {error.strerror}") from error
        return paths


def _write(dataset: Dataset, folder: Path) -> Path:
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    partial = path.with_suffix(f".{token_hex(4)}.part")
    try:
        with partial.open("wb") as file:
            dataset.save_as(file, enforce_file_format=True)
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
