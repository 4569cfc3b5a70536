from __future__ import annotations

import numpy as np
import pytest

from qagate.score import handcrafted
from qagate.score.grey import HOUNSFIELD, Scale, scale_of
from qagate.score.preprocess import standardise

from .bundles import ct

HU = ct(1, 128, 144)[0].astype(np.float32).clip(-1024, 3000)
WINDOWED = np.clip((HU + 160.0) / 400.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("numbers", "scale"),
    [
        (HU, HOUNSFIELD),
        (HU.clip(-50, 900), HOUNSFIELD),  # a field without air
        (HU + 1024.0, Scale(None, 1024.0)),
        (HU + 32768.0, Scale(None, 32768.0)),
        (WINDOWED, Scale(1.0)),
        (WINDOWED * 1.08 - 0.04, Scale(1.0)),  # filtered: a little beyond its ends
        (np.round(WINDOWED * 255), Scale(255.0)),
        (np.round(WINDOWED * 1023), Scale(1023.0)),
        (np.round(WINDOWED * 4095), Scale(4095.0)),
        (np.round(WINDOWED * 65535), Scale(65535.0)),
        (np.array([]), HOUNSFIELD),
        (np.full(9, 7.0), HOUNSFIELD),
    ],
)
def test_what_numbers_stand_for(numbers: np.ndarray, scale: Scale) -> None:
    assert scale_of(numbers) == scale


@pytest.mark.parametrize("form", [lambda g: g, lambda g: g * 255, lambda g: g * 4095, lambda g: g * 65535])
def test_one_window_stored_in_many_ways_is_one_picture(form) -> None:
    bright = WINDOWED / WINDOWED.max()
    standard, _ = standardise(form(bright)[None].astype(np.float32), "CT")
    assert np.abs(standard[0] - (bright * 400.0 - 160.0)).max() < 0.01
    assert np.abs(handcrafted.scaled(form(bright).astype(np.float32), "CT") - bright).max() < 1e-4


@pytest.mark.parametrize("offset", [0, 1024, 32768])
def test_stored_values_are_hu_again(offset: int) -> None:
    standard, _ = standardise((HU + offset)[None], "CT")
    assert np.abs(standard[0] - HU).max() < 0.01
    assert np.array_equal(handcrafted.features(HU + offset, "CT"), handcrafted.features(HU, "CT"))
