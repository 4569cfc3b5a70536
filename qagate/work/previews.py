"""Previews: grey pictures of the slices people will look at first."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from qagate.domain import display
from qagate.domain.assessment import Assessment
from qagate.domain.volume import Volume
from qagate.errors import SpoolError

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
