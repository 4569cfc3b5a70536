"""Extent: how much of the body a volume holds. Masks are (slices, rows, columns) bool."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

PRESENT = 0.02
"""Share of a slice that must be body before the slice counts as showing some."""
TOUCHING = 0.02
"""Share of the border of a slice that must be body before the body counts as cut off."""


def slices_with_body(body: Mask) -> float:
    """Return the share of slices, 0..1, with body on more than `PRESENT` of their area."""
    return float(np.mean(body.mean(axis=(1, 2)) > PRESENT))


def body_at_end(body: Mask, *, first: bool) -> float | None:
    """Return the body's area in the first (or last) slice relative to its largest area, 0..1; None without body.

    0: the stack begins beyond the body. 1: the body goes on beyond the stack, as it should for an organ inside it.
    """
    areas = body.sum(axis=(1, 2))
    if areas.max() == 0:
        return None
    return float(areas[0 if first else -1] / areas.max())


def field_of_view_clipping(body: Mask) -> float:
    """Return the share of slices, 0..1, in which the body reaches the border of the picture."""
    border = np.concatenate((body[:, 0], body[:, -1], body[:, :, 0], body[:, :, -1]), axis=1)
    return float(np.mean(border.mean(axis=1) > TOUCHING))
