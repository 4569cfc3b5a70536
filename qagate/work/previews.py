"""Previews: grey pictures of the slices people will look at first, and a coarse map of where quality is low."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from qagate.assemble.nifti_writer import write_nifti
from qagate.domain import display
from qagate.domain.assessment import Assessment
from qagate.domain.volume import Volume
from qagate.errors import SpoolError
from qagate.score.preprocess import CELL

WORST = 3
NEIGHBOURHOODS = 10


def pictures_of(volume: Volume, assessment: Assessment) -> dict[int, npt.NDArray[np.uint8]]:
    """Return 0-based slice index → grey picture (rows, columns): the worst three, the best, and the middle one.

    The worst are taken from different parts of the stack: neighbours would show the same thing three times.
    """
    apart = max(1, len(volume.slices) // NEIGHBOURHOODS)
    worst: list[int] = []
    for index in assessment.worst_slices(len(volume.slices)):
        if len(worst) < WORST and all(abs(index - other) >= apart for other in worst):
            worst.append(index)
    scored = [(s.score, i) for i, s in enumerate(assessment.slices) if s.score is not None]
    best = max(scored)[1] if scored else None
    middle = len(volume.slices) // 2
    wanted = dict.fromkeys([*worst, *([best] if best is not None else []), middle])
    limits = display.window(volume.voxels, assessment.prompt.modality, assessment.prompt.regions)
    return {index: display.to_grey(volume.voxels[index], limits) for index in wanted}


def save(folder: Path, assessment: Assessment, pictures: Mapping[int, npt.NDArray[np.uint8]]) -> None:
    """Write pictures as `<volume>-<slice>.png` (0-based) and an index of them. Raises SpoolError."""
    volume = assessment.source.volume_index
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, picture in pictures.items():
            temporary = folder / f".{volume}-{index}.png"
            Image.fromarray(picture).save(temporary, format="PNG")
            os.replace(temporary, folder / f"{volume}-{index}.png")
        (folder / f"{volume}.json").write_text(json.dumps({"slices": list(pictures)}), encoding="utf-8")
    except OSError as error:
        raise SpoolError(f"the pictures of a series cannot be written to {folder}: {error.strerror}") from error


def save_heatmap(folder: Path, volume: Volume, heatmap: npt.NDArray[np.float32] | None) -> None:
    """Write `<volume>.heat.nii.gz`: 0 (good) .. 255 (bad), as coarse as the network's map, in its place in the patient.

    heatmap: as in Estimate, one cell for CELL x CELL pixels; nothing is written without one. Raises SpoolError.
    """
    if heatmap is None or not heatmap.any():
        return
    geometry = volume.geometry
    to_pixels = np.diag([CELL, CELL, 1.0, 1.0])  # (column, row, slice) of the map → of the volume
    to_pixels[:2, 3] = (CELL - 1) / 2  # the centre of the first cell
    affine = np.asarray(geometry.affine_lps) @ to_pixels
    slice_mm, row_mm, column_mm = geometry.spacing_mm
    levels = np.round(heatmap.clip(0, 1) * 255).astype(np.uint8)
    try:
        write_nifti(heatmap_path(folder, volume.index), levels, (slice_mm, row_mm * CELL, column_mm * CELL), affine)
    except OSError as error:
        raise SpoolError(f"the heatmap of a series cannot be written to {folder}: {error.strerror}") from error


def heatmap_path(folder: Path, volume: int) -> Path:
    """Return where the heatmap of a volume (0-based) lies among the pictures of a revision."""
    return folder / f"{volume}.heat.nii.gz"
