"""How voxels become grey values that people can look at: windows by modality and region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

CT_WINDOWS_HU = {
    "head": (40.0, 80.0),
    "neck": (50.0, 350.0),
    "chest": (-600.0, 1500.0),
    "abdomen": (50.0, 400.0),
    "pelvis": (50.0, 400.0),
    "spine": (300.0, 1500.0),
    "upper_extremity": (300.0, 1500.0),
    "lower_extremity": (300.0, 1500.0),
}
"""Region → (centre, width) in HU, as radiology departments set them."""

DEFAULT_CT_WINDOW_HU = (40.0, 400.0)


LEAST_GREY = 0.01
"""A CT window that leaves less than this share of the pixels grey is for other pixels: localizers are not in HU."""


def window(voxels: npt.NDArray[Any], modality: str | None, regions: Sequence[str]) -> tuple[float, float]:
    """Return (lowest, highest) value to show.

    CT: by region, where that shows anything. Else: 1st-99.5th percentile of the non-zero voxels.
    """
    sample = voxels[:: max(1, len(voxels) // 16), ::2, ::2]
    if modality == "CT":
        centre, width = next((CT_WINDOWS_HU[r] for r in regions if r in CT_WINDOWS_HU), DEFAULT_CT_WINDOW_HU)
        low, high = centre - width / 2, centre + width / 2
        if sample.size == 0 or np.mean((sample > low) & (sample < high)) >= LEAST_GREY:
            return low, high
    sample = sample[np.isfinite(sample) & (sample != 0)]
    if sample.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(sample, (1.0, 99.5))
    return float(low), float(max(high, low + 1e-6))


def to_grey(pixels: npt.NDArray[Any], limits: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Return pixels as 0..255 between the limits; NaN becomes 0."""
    low, high = limits
    scaled = (np.nan_to_num(pixels.astype(np.float32), nan=low) - low) * (255.0 / (high - low))
    grey: npt.NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return grey
