from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from qagate.score import familiar
from qagate.score.preprocess import standardise

from .bundles import ct

RNG = np.random.default_rng(3)


def stripes() -> np.ndarray:
    page = np.zeros((2, 96, 96), np.float32)
    page[:, 10:90:8, 5:90] = 255.0  # lines of text, seen from afar
    return page


def report(ink: int) -> np.ndarray:
    """A page of a dose report, as scanners send it beside the images."""
    page = Image.new("L", (400, 300), 255 - ink)
    draw = ImageDraw.Draw(page)
    for line in range(14):
        draw.text((10, 5 + 20 * line), f"Series {line}  CTDIvol 12.3 mGy  DLP 456 mGy.cm", fill=ink, font_size=14)
    return np.asarray(page)[None]


@pytest.mark.parametrize(
    ("voxels", "modality", "strange"),
    [
        (ct(), "CT", False),
        (ct(noise=150.0), "CT", False),  # very noisy, but a body
        (ct(1), "CT", False),
        (np.zeros((2, 64, 64)), "CT", True),
        (np.full((2, 64, 64), 700.0), "MR", True),
        (RNG.uniform(0, 255, (2, 128, 128)), "MR", True),
        (RNG.uniform(0, 255, (1, 128, 128)), "CT", True),
        (stripes(), "MR", True),
        (report(255), "CT", True),
        (report(0), "MR", True),
        (ct() // 300 * 300, "CT", False),  # few greys, but a body
    ],
)
def test_only_what_is_no_picture_is_strange(voxels: np.ndarray, modality: str, strange: bool) -> None:
    assert familiar.strangeness(standardise(voxels, modality)[0], modality) == float(strange)


def test_a_picture_too_small_to_tell_is_left_to_others() -> None:
    assert familiar.correlation(RNG.uniform(0, 1, (1, 8, 8)).astype(np.float32), 1) == 1.0
