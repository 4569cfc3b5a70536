"""Filling: one number far below 0 that stands where a picture without numbers below 0 shows nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.finding import Finding, FindingCode, Severity

CT_AIR = (-1100.0, -900.0)
"""Hounsfield units of air, as they lie around an organ that somebody cut out of a CT: they are meant."""
LEAST_DEPTH = 0.02
"""What lies below 0 by less than this share of the brightest voxels does no harm, and may be meant."""
MOST_BLENDS, BLEND_DEPTH = 0.05, 0.1
"""Interpolation leaves voxels between the filling and the picture: at most this share of it, and deeper than noise."""


def without_filling(voxels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], float | None]:
    """Return voxels with 0 where the filling stood, and the filling; the same voxels and None where there is none.

    voxels: finite numbers, any shape. In HU and in what was normalised around 0 many numbers lie below 0, so that
    nothing is taken for filling there.
    """
    filling = float(voxels.min(initial=0))
    if filling >= 0 or CT_AIR[0] < filling < CT_AIR[1]:
        return voxels, None
    below = voxels < 0
    rest = voxels[~below]
    if not rest.size or -filling < LEAST_DEPTH * float(np.percentile(rest[:: 1 + rest.size // 1_000_000], 99.0)):
        return voxels, None
    between = voxels[below & (voxels != filling)]
    if between.size and (between.size > MOST_BLENDS * rest.size or float(np.median(between)) > BLEND_DEPTH * filling):
        return voxels, None
    return np.where(below, voxels.dtype.type(0), voxels), filling


def filled(filling: float) -> Finding:
    """Return what a person is told of a filling that was taken away."""
    text = f"one number far below 0 stands where nothing was measured and was taken for 0, got {filling:g}"
    return Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MILD, text)
