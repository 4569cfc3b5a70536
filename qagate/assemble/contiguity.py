"""Contiguity: are the slices of a series numbered and placed without a gap? Pure.

It cannot show that nothing is missing at an end, unless the numbers begin with 1; a missing last slice stays unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 3
"""Two slices have one step, and one step cannot be irregular."""

REGULAR = 0.02
"""Steps may differ from their median by this part of it: positions are rounded to 0.01 mm at slices of 1 mm."""

Vector3 = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Number and place of one single-frame image, None where its header does not say.

    instance_number: (0020,0013). position: Image Position (Patient) in mm, LPS. row, column: direction cosines of Image
    Orientation (Patient).
    """

    instance_number: int | None
    position: Vector3 | None
    row: Vector3 | None
    column: Vector3 | None


def contiguous(places: Sequence[Place]) -> bool:
    """Return whether Instance Numbers run from 1 without a gap and slices lie in equal steps along one normal.

    Source: PS3.3 C.7.6.2.1.1.
    """
    if len(places) < FEWEST or {place.instance_number for place in places} != set(range(1, len(places) + 1)):
        return False
    if any(place.position is None or place.row is None or place.column is None for place in places):
        return False
    orientations = np.array([(*(p.row or ()), *(p.column or ())) for p in places], dtype=np.float64)  # (slices, 6)
    if np.abs(orientations - orientations[0]).max() > 1e-3:
        return False
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    along = np.sort(np.array([p.position for p in places], dtype=np.float64) @ normal)  # (slices,)
    steps = np.diff(along)
    median = float(np.median(steps))
    return median > 0 and bool(np.all(np.abs(steps - median) <= REGULAR * median))
