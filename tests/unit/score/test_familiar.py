from __future__ import annotations

import numpy as np
import pytest

from qagate.score import familiar
from qagate.score.preprocess import standardise

from .bundles import ct

RNG = np.random.default_rng(3)


def stripes() -> np.ndarray:
    page = np.zeros((2, 96, 96), np.float32)
    page[:, 10:90:8, 5:90] = 255.0  # lines of text, seen from afar
    return page


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
    ],
)
def test_only_what_is_no_picture_is_strange(voxels: np.ndarray, modality: str, strange: bool) -> None:
    assert familiar.strangeness(standardise(voxels, modality)[0], modality) == float(strange)


def test_a_picture_too_small_to_tell_is_left_to_others() -> None:
    assert familiar.correlation(RNG.uniform(0, 1, (1, 8, 8)).astype(np.float32), 1) == 1.0
