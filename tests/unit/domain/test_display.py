from __future__ import annotations

import numpy as np
import pytest

from qagate.domain import display


@pytest.mark.parametrize(
    ("regions", "limits"),
    [
        (["abdomen"], (-150.0, 250.0)),  # 50 ± 200 HU
        (["breast", "chest"], (-1350.0, 150.0)),  # -600 ± 750
        ([], (-160.0, 240.0)),  # 40 ± 200
    ],
)
def test_ct_is_shown_in_the_window_of_its_region(regions: list[str], limits: tuple[float, float]) -> None:
    voxels = np.linspace(-1000, 1000, 4 * 32 * 32).reshape(4, 32, 32)
    assert display.window(voxels, "CT", regions) == limits


@pytest.mark.parametrize(("low", "high"), [(-900.0, -300.0), (400.0, 4000.0)])
def test_a_localizer_that_would_be_black_or_white_is_shown_by_what_is_in_it(low: float, high: float) -> None:
    voxels = np.linspace(low, high, 1 << 16).reshape(1, 256, 256)
    grey = display.to_grey(voxels[0], display.window(voxels, "CT", ["abdomen"]))
    assert 100 < np.median(grey) < 155
    assert (grey.min(), grey.max()) == (0, 255)


def test_no_pixels_are_no_fault() -> None:
    assert display.window(np.zeros((0, 4, 4)), "CT", []) == (-160.0, 240.0)
    assert display.window(np.zeros((2, 4, 4)), "MR", []) == (0.0, 1.0)


def test_what_is_not_a_number_is_black() -> None:
    assert display.to_grey(np.array([np.nan, 0.0, 0.5, 2.0]), (0.0, 1.0)).tolist() == [0, 0, 127, 255]
