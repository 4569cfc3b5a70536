"""Familiar: is this a picture of the usual kind at all? Plain statistics, before any network.

Only what is no picture of a body is called strange: empty, pure noise, a mask or text. How good a picture is, or which
body part it shows, plays no part: the worst clipping, or steps of three greys, still make a picture.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt

PAPER, THIN = 0.6, 0.85
"""A page of text: more is one grey, and more of the rest lies right beside it. Bodies are thicker than pen strokes."""
LEAST_CORRELATION = 0.1
"""Correlation of neighbouring pixels, and of neighbouring cells of 4 x 4, below which there is nothing but noise."""


def strangeness(slab: npt.NDArray[np.float32], modality: str) -> float:
    """Return 0 (a picture) or 1 (empty, noise, mask, text) for one slab in standard units, (slices, rows, columns)."""
    low = -900.0 if modality == "CT" else 0.04
    spread = float(slab.max() - slab.min())
    if spread < (20.0 if modality == "CT" else 0.02) or np.count_nonzero(slab > low) < 64:
        return 1.0
    greys = np.round((slab - slab.min()) * (255.0 / spread)).astype(np.uint8)
    share = np.bincount(greys.ravel(), minlength=256) / slab.size
    if np.count_nonzero(share > 0.001) <= 2 or _is_text(greys != share.argmax()):
        return 1.0
    return 1.0 if all(correlation(slab, side) < LEAST_CORRELATION for side in (4, 1)) else 0.0


def _is_text(ink: npt.NDArray[np.bool_]) -> bool:
    """Return whether a page is mostly paper and its ink has thin strokes only. ink: (slices, rows, columns)."""
    amount = np.count_nonzero(ink)
    if not 0 < amount < (1 - PAPER) * ink.size:
        return False
    across = _beside(~ink, axis=1)
    return bool(np.count_nonzero(ink & _beside(across, axis=2)) > THIN * amount)


def _beside(paper: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.bool_]:
    """Return where there is paper, or right beside it along an axis."""
    near, paper = np.moveaxis(paper.copy(), axis, 0), np.moveaxis(paper, axis, 0)
    near[1:] |= paper[:-1]
    near[:-1] |= paper[1:]
    return np.moveaxis(near, 0, axis)


def correlation(slab: npt.NDArray[np.float32], side: int) -> float:
    """Return how alike neighbouring cells of side x side pixels are, -1..1; 1 for a picture too small to tell."""
    rows, columns = (n // side * side for n in slab.shape[1:])
    if rows < 16 or columns < 16:
        return 1.0
    lines = reduce(np.add, [slab[:, first:rows:side] for first in range(side)])
    cells = reduce(np.add, [lines[:, :, first:columns:side] for first in range(side)]) / side**2
    first, second = cells[:, :, :-1].ravel(), cells[:, :, 1:].ravel()
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / size if size > 0 else 1.0
