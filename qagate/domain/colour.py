"""Colour: when a picture in three channels is more than grey, and what grey it then is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness. Source: ITU-R BT.601."""
GREY_LEVELS, COLOURFUL_SHARE = 12, 0.01
"""Channels may differ by a few of 256 levels (JPEG rounds them apart), or in few pixels, and still show grey."""


def colourful(rgb: npt.NDArray[Any]) -> bool:
    """Return whether a picture is in colours. rgb: (..., 3), 0..255."""
    low, *others = (rgb[..., channel].astype(np.int16) for channel in range(3))
    high = low.copy()
    for one in others:
        np.minimum(low, one, out=low)
        np.maximum(high, one, out=high)
    return float((high - low > GREY_LEVELS).mean()) > COLOURFUL_SHARE


def luma(rgb: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the brightness of each pixel: (..., 3) → (...), in the same unit."""
    found: npt.NDArray[np.float32] = rgb.astype(np.float32) @ np.array(LUMA, np.float32)
    return found
