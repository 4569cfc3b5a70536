"""Blank: slices of one value amid slices that show something, as a lost image that was filled up. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def blank_slices(voxels: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the indices of valid slices of one value that lie between others. voxels: (slices, rows, columns).

    Those before the first and behind the last that shows something are air, or tiles that a mosaic left empty.
    """
    middle = voxels.shape[1] // 2, voxels.shape[2] // 2
    flat = np.array([plane[0, 0] == plane[middle] and bool((plane == plane[0, 0]).all()) for plane in voxels], np.bool_)
    shown = np.flatnonzero(valid & ~flat)
    if not shown.size:
        return ()
    between = np.flatnonzero(valid & flat)
    return tuple(int(index) for index in between if shown[0] < index < shown[-1])
