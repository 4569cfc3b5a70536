"""Grey: what the numbers of a CT picture stand for when nothing says so: HU, stored values, or grey of a window.

Pictures that left the PACS as PNG or TIFF have lost their rescale and their window. What is left are real numbers from
0 to 1, perhaps a little beyond where something was filtered; grey steps of 8, 10, 12 or 16 bits; or stored values, HU
plus 1024 or 32768. Told from the numbers alone, one picture at a time, so that a picture is the same in any company.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HU_FROM = -100.0
"""Grey has no values below; HU of a body in air do."""
BEYOND_ONE = 2.0
"""Real numbers meant for 0..1 reach no further than this, and no further down than minus one."""
DEEP = (1023.0, 4095.0, 65535.0)
"""White of 10, 12 and 16 bits."""
STORED_OFFSETS_HU = (1024.0, 32768.0)
"""What is added to HU so that no value is negative: of 12 bits, and of half of 16."""
NEAR_WATER_HU, AIR_HU, MOST_HU = 200.0, -700.0, 7167.0
"""Soft tissue and fat lie nearer to water than this; below lies air, and nothing above."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers become HU or grey. white: the number of full white, 0 is black; None: HU is number - offset."""

    white: float | None
    offset: float = 0.0


HOUNSFIELD = Scale(None)


def scale_of(sample: npt.NDArray[Any]) -> Scale:
    """Return what numbers of a CT picture stand for. sample: finite numbers of the picture, any shape."""
    if not sample.size:
        return HOUNSFIELD
    low, high = float(sample.min()), float(sample.max())
    if low < HU_FROM or high <= low:
        return HOUNSFIELD
    if high <= BEYOND_ONE and low >= 1.0 - BEYOND_ONE:
        return Scale(1.0)
    if high <= 255.0:
        return Scale(255.0)
    if low < 0.0:
        return HOUNSFIELD
    for offset in STORED_OFFSETS_HU:
        beyond_air = sample[sample >= offset + AIR_HU]
        tissue = np.abs(beyond_air - offset) < NEAR_WATER_HU
        if beyond_air.size > 0.05 * sample.size and high <= offset + MOST_HU and float(tissue.mean()) > 0.4:
            return Scale(None, offset)
    bright = float(np.percentile(sample, 99.5))
    white = next((white for white in DEEP if high <= white), None)
    # HU of a field without air have few bright numbers: bone of 300 is nowhere near white
    return HOUNSFIELD if white is None or bright < 0.6 * white else Scale(white)
