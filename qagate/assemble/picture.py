"""Pictures: PNG, JPEG, TIFF, BMP and GIF → volumes of one slice, or of one slice for each page of the same size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence, UnidentifiedImageError

from qagate.domain.colour import colourful, luma
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.tiff import meant
from qagate.domain.volume import Geometry, SeriesVolumes, SliceRef, Volume
from qagate.errors import InputError, TooLarge, UnreadablePixels

Array = npt.NDArray[Any]
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF")
MAX_BYTES = 1 << 30
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError, MemoryError)


def read_picture(path: Path, max_bytes: int = MAX_BYTES) -> SeriesVolumes:
    """Return the picture as volumes whose position is not known and whose pixels count as 1 mm.

    Pages of the same size make one volume. Voxels: int16 for up to 15 bits, else float32. Raises InputError when it is
    no PNG, JPEG, TIFF, BMP or GIF file, UnreadablePixels when its data are broken, TooLarge.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                lossy = image.format == "JPEG"
                pages, colourful = _pages(image, path, max_bytes)
    except Image.DecompressionBombError:
        raise TooLarge(f"{path.name} may hold {max_bytes} bytes of pixels, got more") from None
    except UnidentifiedImageError:
        raise InputError(f"{path.name} is no PNG, JPEG, TIFF, BMP or GIF file") from None
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except _BROKEN as error:
        raise UnreadablePixels(f"{path.name} cannot be decoded, got {type(error).__name__}: {error}") from None
    findings = []
    if colourful:
        findings.append(Finding(FindingCode.COLOUR, Severity.NONE, "this is a colour image"))
    if lossy:
        findings.append(Finding(FindingCode.LOSSY_COMPRESSION, Severity.MILD, "the image was compressed with loss"))
    volumes = tuple(_volume(stack, path.stem, i, tuple(findings)) for i, stack in enumerate(_stacks(pages)))
    whole: tuple[Finding, ...] = ()
    if len(volumes) > 1:
        text = f"the file holds {len(volumes)} volumes of different sizes"
        whole = (Finding(FindingCode.MULTIPLE_VOLUMES, Severity.NONE, text),)
    return SeriesVolumes(path.stem, "", {}, 1, volumes, whole)


def _pages(image: Image.Image, path: Path, max_bytes: int) -> tuple[list[Array], bool]:
    pages, colourful, taken = [], False, 0
    for page in ImageSequence.Iterator(image):
        taken += page.width * page.height * 4
        if taken > max_bytes:
            raise TooLarge(f"{path.name} may hold {max_bytes} bytes of pixels, got more")
        grey, colour = _grey(page)
        pages.append(grey)
        colourful = colourful or colour
    return pages, colourful


def _grey(page: Image.Image) -> tuple[Array, bool]:
    """Return a page as (rows, columns), and whether it was truly colourful."""
    if page.mode == "1":
        return np.asarray(page.convert("L")), False
    if page.mode in ("L", "I", "F") or page.mode.startswith("I;16"):
        return meant(np.asarray(page), getattr(page, "tag_v2", {})), False
    if page.mode == "LA":
        return np.asarray(page.getchannel(0)), False
    rgb = np.asarray(page.convert("RGB"))  # (rows, columns, 3)
    return np.rint(luma(rgb)).astype(np.int16), colourful(rgb)


def _stacks(pages: list[Array]) -> list[Array]:
    by_size: dict[tuple[int, ...], list[Array]] = {}
    for page in pages:
        by_size.setdefault(page.shape, []).append(page)
    return [_narrow(np.stack(stack)) for stack in by_size.values()]


def _narrow(voxels: Array) -> Array:
    if voxels.dtype.kind in "iu" and int(voxels.min()) >= -32768 and int(voxels.max()) <= 32767:
        return voxels.astype(np.int16)
    real = voxels.astype(np.float32)
    return np.nan_to_num(real, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _volume(voxels: Array, name: str, index: int, findings: tuple[Finding, ...]) -> Volume:
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    axes = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    geometry = Geometry(shape, (1.0, 1.0, 1.0), axes, known=False)
    own = list(findings)
    own.append(
        Finding(
            FindingCode.NO_POSITION, Severity.MILD, "a picture does not say how large its pixels are in the patient"
        )
    )
    if voxels.min() == voxels.max():
        text = f"every pixel has the same value, got {voxels.flat[0]}"
        own.append(Finding(FindingCode.EMPTY_PIXELS, Severity.NONE, text))
    slices = tuple(SliceRef(name, "", i + 1 if len(voxels) > 1 else None, float(i), i + 1) for i in range(len(voxels)))
    label = f"{shape[2]} x {shape[1]}" if index else ""
    return Volume(voxels, geometry, slices, {}, tuple(own), index, label, np.ones(len(voxels), np.bool_))
