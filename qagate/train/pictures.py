"""Pictures with human scores: any folder of 2D or 3D images and a CSV `path,score[,modality,organ,group]`.

Read: PNG, JPEG, BMP and TIFF (8 and 16 bit, float32, several pages; colour becomes luma, and is kept beside it for the
eye) through Pillow, .npy, NIfTI (.nii, .nii.gz). DICOM is read by a `Reader` that the caller hands in: training knows
no DICOM. A row that cannot be used costs one sentence and nothing else.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain import tiff
from qagate.domain.colour import colourful, luma
from qagate.domain.filling import without_filling
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.prompt import MODALITIES, Prompt, placed
from qagate.domain.volume import Geometry, SliceRef, Volume
from qagate.errors import InputError, QagateError
from qagate.train import index, nifti

Spacing = tuple[float, float, float]
Colour = npt.NDArray[np.uint8]
Reader = Callable[[Path], Volume]
"""Reads one picture of a kind that training does not know. May raise QagateError."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")
NIFTI = (".nii", ".nii.gz")
KNOWN = (*SUFFIXES, *NIFTI, ".npy")
BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, OverflowError, MemoryError, TokenError)
"""What Pillow and numpy raise for damaged files."""
MODALITY_WORDS = {"MRI": "MR", "MRT": "MR"} | {word: word for word in MODALITIES}


@dataclass(frozen=True, slots=True)
class Row:
    """One usable row of an index. line: 1-based, the header is line 1. group: content or subject, else the image."""

    line: int
    path: Path
    score: float
    modality: str | None
    organ: str | None
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One image that could be read, ready to be scored."""

    row: Row
    volume: Volume
    prompt: Prompt


def read_index(path: Path, modality: str | None = None) -> tuple[list[Row], list[str]]:
    """Return usable rows, and one sentence for each row that is not. `modality` stands in where the file is silent.

    Paths are taken from the folder of the CSV. Without a group each image is its own group, however many rows (one for
    each rater, say) name it. What may part the columns is in `index`. Raises InputError when there is no such file
    or no columns `path` and `score`.
    """
    rows, problems = [], []
    for record in index.read(path, ("path", "score"), ("modality", "organ", "group")):
        try:
            rows.append(_row(record.said(), record.line, path.parent, modality))
        except InputError as error:
            problems.append(f"line {record.line}: {error}")
    return rows, problems


def _row(said: Mapping[str, str], line: int, folder: Path, modality: str | None) -> Row:
    name, text = said["path"], said["score"]
    if not name:
        raise InputError("path must name an image, got nothing")
    try:
        score = float(text.replace(",", "."))
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise InputError(f"score must be a finite number, got {text!r}")
    word, organ = words(said["modality"], said["organ"])
    path = index.file_in(folder, name)
    return Row(line, path, score, word or modality, organ, said["group"] or str(path))


def words(modality: str, organ: str) -> tuple[str | None, str | None]:
    """Return the two words of a row as prompts have them, None for what is empty. Raises InputError."""
    word = modality.upper()
    if word and word not in MODALITY_WORDS:
        raise InputError(f"modality must be CT or MR, or empty, got {word!r}")
    return MODALITY_WORDS.get(word), organ.lower().replace(" ", "_").replace("/", "_") or None


def pictures(rows: list[Row], problems: list[str], reader: Reader | None = None) -> Iterator[Picture]:
    """Yield the images of the rows one by one; append a sentence to `problems` for each that is not read as a whole."""
    for row in rows:
        try:
            found = read_volume(row.path, reader)
        except QagateError as error:
            problems.append(f"line {row.line}: {error}")
            continue
        problems += [
            f"line {row.line}: {row.path}: {finding.detail}"
            for finding in found.findings
            if finding.code is FindingCode.MULTIPLE_VOLUMES
        ]
        yield Picture(row, found, as_filed(prompt(row.modality, row.organ), found))


def read_volume(path: Path, reader: Reader | None = None) -> Volume:
    """Return the picture of a file, of other kinds than training knows as `reader` gives it. May raise QagateError."""
    if reader is None or path.name.lower().endswith(KNOWN) or not os.path.exists(path):
        voxels, spacing_mm, known, colour, times = _read(path)
        return replace(volume(voxels, spacing_mm, known), colour=colour, findings=_findings(times))
    found = reader(path)
    _check(path, found.voxels)
    return found


def read_image(path: Path) -> tuple[npt.NDArray[Any], Spacing, bool, Colour | None]:
    """Return voxels (slices, rows, columns), int16 or float32, spacing in mm, whether the file gave that, and colour.

    colour: as `Volume` has it. Of a NIfTI file with several volumes, the first. Raises InputError.
    """
    return _read(path)[:4]


def _findings(times: int) -> tuple[Finding, ...]:
    text = f"the file holds {times} volumes, of which the first was read"
    return (Finding(FindingCode.MULTIPLE_VOLUMES, Severity.NONE, text),) if times > 1 else ()


def _read(path: Path) -> tuple[npt.NDArray[Any], Spacing, bool, Colour | None, int]:
    """Return what `read_image` does, and how many volumes the file holds."""
    name = path.name.lower()
    if not os.path.exists(path):  # Path.exists raises where a folder is closed or a name is too long
        raise InputError(f"{path} must exist, got no such file")
    spacing: Spacing = (1.0, 1.0, 1.0)
    known, colour, times = False, None, 1
    if name.endswith(NIFTI):
        image = nifti.read(path)
        found, spacing, known, times = image.voxels, image.spacing_mm, image.sized, image.times
    elif name.endswith(".npy"):
        found, colour = _read_npy(path)
    elif name.endswith(SUFFIXES):
        found, colour = _read_picture(path)
    else:
        raise InputError(f"{path} must be a PNG, JPEG, TIFF, NIfTI or .npy image, got {path.suffix or 'no suffix'}")
    voxels = found if found.ndim == 3 else found[None]
    if voxels.ndim != 3 or voxels.size == 0:
        raise InputError(f"{path} must hold (slices, rows, columns), got shape {found.shape}")
    _check(path, voxels)
    if np.isfinite(voxels).all():
        voxels, _ = without_filling(voxels)
    return voxels if voxels.dtype == np.int16 else voxels.astype(np.float32), spacing, known, colour, times


def _check(path: Path, voxels: npt.NDArray[Any]) -> None:
    """Raise InputError when there is nothing to see."""
    if min(voxels.shape[1:]) < 8:
        raise InputError(f"{path} must be at least 8 x 8 pixels, got {voxels.shape[1]} x {voxels.shape[2]}")
    shown = voxels[np.isfinite(voxels)]
    if not shown.size or shown.min() == shown.max():
        raise InputError(f"{path} must show something, got one value everywhere")


def _read_npy(path: Path) -> tuple[npt.NDArray[Any], Colour | None]:
    """Return (slices, rows, columns) or (rows, columns), and colours where the last axis holds those as bytes.

    Axes of length 1 say nothing.
    """
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except BROKEN as error:
        raise InputError(f"{path} must be a .npy array of numbers, got {error}") from error
    if found.dtype.kind not in "iufb":
        raise InputError(f"{path} must hold real numbers, got {found.dtype}")
    found = found.reshape([n for n in found.shape if n > 1])
    if found.ndim in (3, 4) and found.shape[-1] in (3, 4) and found.dtype == np.uint8:
        pages = found[..., :3].reshape(-1, *found.shape[-3:-1], 3)
        return luma(pages), pages if all(colourful(page) for page in pages) else None
    if found.ndim == 3 and found.shape[0] == found.shape[1] > 2 * found.shape[2]:
        raise InputError(f"{path} must hold (slices, rows, columns), got (rows, columns, slices) by its {found.shape}")
    return found, None


def _read_picture(path: Path) -> tuple[npt.NDArray[np.float32], Colour | None]:
    """Return the pages of the largest size, (pages, rows, columns), and their colours where all of them have any."""
    from PIL import Image, ImageSequence

    try:
        with Image.open(path) as image:
            pages = [_values(page) for page in ImageSequence.Iterator(image)]
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise InputError(f"{path} must be a readable picture, got {error}") from error
    largest = max((page.shape[:2] for page in pages), key=math.prod)
    pages = [page for page in pages if page.shape[:2] == largest]  # thumbnails among the pages are no slices
    in_colours = all(page.ndim == 3 and page.dtype == np.uint8 and colourful(page) for page in pages)
    grey = [luma(page) if page.ndim == 3 else page.astype(np.float32) for page in pages]
    return np.stack(grey), np.stack(pages) if in_colours else None


def _values(page: Any) -> npt.NDArray[Any]:
    """Return a page as (rows, columns), or (rows, columns, 3) when it has three channels."""
    mode, tags = page.mode, getattr(page, "tag_v2", {})
    if mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBA", "RGBX", "RGBa"):
        page = page.convert("RGB")
    elif mode in ("LA", "La"):
        page = page.convert("L")
    values = tiff.meant(np.asarray(page), tags)
    return values[..., :3] if values.ndim == 3 else values


def prompt(modality: str | None, organ: str | None) -> Prompt:
    """Return the prompt that an index row can give. A word that is neither an organ nor a region is left out."""
    regions, named = placed(organ)
    return Prompt(modality=modality, regions=regions, organ=named, confidence=1.0 if regions else 0.0)


def as_filed(said: Prompt, found: Volume) -> Prompt:
    """Return a prompt with the modality that the file itself says, where an index says none."""
    return said if said.modality else replace(said, modality=MODALITY_WORDS.get(str(found.tags.get("Modality", ""))))


def volume(voxels: npt.NDArray[Any], spacing_mm: Spacing, known: bool = True) -> Volume:
    """Return voxels (slices, rows, columns) as a volume whose first voxel lies at the origin."""
    slice_mm, row_mm, column_mm = spacing_mm
    affine = (
        (column_mm, 0.0, 0.0, 0.0),
        (0.0, row_mm, 0.0, 0.0),
        (0.0, 0.0, slice_mm, 0.0),
        (0.0, 0.0, 0.0, 1.0),
    )
    slices = tuple(SliceRef("", "", None, index * slice_mm) for index in range(len(voxels)))
    count, rows, columns = voxels.shape
    return Volume(voxels, Geometry((count, rows, columns), spacing_mm, affine, known=known), slices, {})
