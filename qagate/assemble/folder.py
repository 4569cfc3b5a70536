"""Folder: files and folders that people hand over → the DICOM series among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from qagate.assemble.headers import open_header
from qagate.assemble.values import text_of
from qagate.errors import NotDicom


@dataclass(slots=True)
class Folder:
    """What a walk over files found beside DICOM series: (file name, one sentence) of each file that is none."""

    others: list[tuple[str, str]] = field(default_factory=list)


def find_series(paths: Iterable[Path], folder: Folder | None = None) -> Iterator[tuple[str, list[Path]]]:
    """Yield (Series Instance UID, its files) for files and folders that may hold several series.

    Folders are walked. Files that are no DICOM go to `folder.others`; DICOMDIR and hidden files are passed over in
    silence. Series come in the order of their UIDs, files in the order of their names.
    """
    found: dict[tuple[str, ...], list[Path]] = {}
    for path in sorted(_files(paths)):
        try:
            dataset = open_header(path).dataset
        except NotDicom as error:
            if folder is not None:
                folder.others.append((path.name, str(error)))
            continue
        if text_of(dataset, "SOPClassUID") == "1.2.840.10008.1.3.10":
            continue
        found.setdefault(_series_of(path, dataset), []).append(path)
    for key, files in sorted(found.items()):
        yield key[0], files


def _series_of(path: Path, dataset: Dataset) -> tuple[str, ...]:
    """Return what the files of one series share: its UID, or where there is none what else tells series apart."""
    uid = text_of(dataset, "SeriesInstanceUID")
    if uid:
        return (uid,)
    words = (text_of(dataset, word) for word in ("StudyInstanceUID", "Modality", "SeriesNumber", "SeriesDescription"))
    return (uid, str(path.parent), *words)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (
                p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".") and p.name != "DICOMDIR"
            )
        else:
            yield path
