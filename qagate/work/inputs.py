"""Files that people hand over: which of them belong together, and how each is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qagate.assemble.folder import Folder, find_series
from qagate.assemble.nifti import read_nifti
from qagate.assemble.picture import read_picture
from qagate.assemble.series import Limits, read_series
from qagate.domain.volume import SeriesVolumes
from qagate.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to score: the files of one DICOM series, or one NIfTI volume or picture.

    kind: "dicom", "nifti", "picture", or "none" with `problem` saying why it cannot be used.
    """

    path: Path
    files: tuple[Path, ...]
    kind: str
    problem: str = ""


def find(paths: Iterable[Path]) -> Iterator[Input]:
    """Yield what the paths hold: folders are searched, their DICOM files are grouped by series."""
    dicom: list[Path] = []
    top: Path | None = None
    for path in paths:
        if not path.exists():
            yield Input(path, (), "none", f"there is no file or folder at this path, got {path}")
            continue
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else (path,):
            name = file.name.lower()
            if name.endswith((".nii", ".nii.gz")):
                yield Input(file, (file,), "nifti")
            elif name.endswith(PICTURES):
                yield Input(file, (file,), "picture")
            else:
                dicom.append(file)
                top = top or path
    if top is None:
        return
    folder = Folder()
    for _uid, files in find_series(dicom, folder):
        yield Input(files[0].parent if len(files) > 1 else files[0], tuple(files), "dicom")
    for name, why in folder.others:
        yield Input(Path(name), (), "none", why)


def read(item: Input, limits: Limits) -> SeriesVolumes:
    """Read one input. Raises InputError with one sentence when it cannot be used."""
    if item.problem:
        raise InputError(f"{item.path}: {item.problem}" if str(item.path) not in item.problem else item.problem)
    if item.kind == "nifti":
        return read_nifti(item.path)
    if item.kind == "picture":
        return read_picture(item.path)
    return read_series(item.files, limits)
