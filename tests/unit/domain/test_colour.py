from __future__ import annotations

import numpy as np
import pytest

from qagate.domain.colour import colourful, luma


@pytest.mark.parametrize(
    ("colour", "share", "wanted"),
    [
        ((100, 100, 100), 1.0, False),
        ((100, 112, 100), 1.0, False),  # 12 levels apart: rounding of JPEG
        ((100, 113, 100), 1.0, True),
        ((255, 0, 0), 0.01, False),  # one pixel of a hundred: a mark on a grey picture
        ((255, 0, 0), 0.02, True),
        ((0, 0, 255), 1.0, True),
    ],
)
def test_what_is_more_than_grey(colour: tuple[int, int, int], share: float, wanted: bool) -> None:
    picture = np.full((10, 10, 3), 50, np.uint8)
    picture.reshape(-1, 3)[: round(100 * share)] = colour
    assert colourful(picture) is wanted


def test_brightness_by_hand() -> None:
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 59.8 + 58.7 + 5.7
    assert luma(np.array([[200, 100, 50]], np.uint8)) == pytest.approx([124.2])
