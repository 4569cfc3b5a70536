"""Familiar: is this a picture of the usual kind at all? Plain statistics, before any network.

Only what is no picture of a body is called strange: empty, pure noise, text or label maps. How good a picture is, or
which body part it shows, plays no part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEVELS = 64
FEWEST_BITS = 1.5
"""Entropy of the foreground's grey levels below which a picture is text, a label map or a test pattern."""
LEAST_CORRELATION = 0.1
"""Correlation of neighbouring pixels, and of neighbouring cells of 4 x 4, below which there is nothing but noise."""


def strangeness(slab: npt.NDArray[np.float32], modality: str) -> float:
    """Return 0 (a picture) or 1 (empty, noise, text) for one slab in standard units, (slices, rows, columns)."""
    low = -900.0 if modality == "CT" else 0.04
    inside = slab[slab > low]
    spread = float(slab.max() - slab.min())
    if spread < (20.0 if modality == "CT" else 0.02) or inside.size < 64:
        return 1.0
    low, high = (float(v) for v in np.percentile(inside, (1, 99)))  # not from one bright screw to air
    counts = np.histogram(inside.clip(low, high), LEVELS, range=(low, high if high - low > 1e-3 else low + 1.0))[0]
    share = counts[counts > 0] / inside.size
    if float(-(share * np.log2(share)).sum()) < FEWEST_BITS:
        return 1.0
    return 1.0 if max(correlation(slab, 1), correlation(slab, 4)) < LEAST_CORRELATION else 0.0


def correlation(slab: npt.NDArray[np.float32], side: int) -> float:
    """Return how alike neighbouring cells of side x side pixels are, -1..1; 1 for a picture too small to tell."""
    rows, columns = (n // side * side for n in slab.shape[1:])
    if rows < 16 or columns < 16:
        return 1.0
    cells = slab[:, :rows, :columns].reshape(len(slab), rows // side, side, columns // side, side).mean((2, 4))
    first, second = cells[:, :, :-1].ravel(), cells[:, :, 1:].ravel()
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / size if size > 0 else 1.0
