"""Tiles: fields of the size that training saw, cut out of the slabs of a volume and described without a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.score import handcrafted, marks, marks_place, marks_stack
from qagate.score.preprocess import CELL, CT_RANGE_HU

Slices = npt.NDArray[np.floating[Any]]

SIDES = {"CT": 176, "MR": 224}
"""Side in pixels; smaller pictures are one tile, CT padded with air."""
MOST = 12
"""At most about so many tiles of a volume are described."""
LEAST_BODY = 0.3
MR_GREYS = 1000.0
"""Stored values of the brightest tissue of MR, so that hand-made features scale them as they scale any MR."""

_TEXTURE = (*handcrafted.NAMES, *handcrafted.MORE_NAMES)
_BEFORE_0_6 = (*_TEXTURE, *(f"coarse_{name}" for name in _TEXTURE), *marks.NAMES, *marks_place.NAMES)
NAMES = (*_BEFORE_0_6, *marks_stack.NAMES)
LENGTH, MEDIUM, SHORT = len(NAMES), len(_BEFORE_0_6), len(_TEXTURE) + len(marks.NAMES)
"""Numbers that describe a tile: now, for models of 0.3 to 0.5, and for those before."""


def share(number: int, slabs: int) -> int:
    """Return how many tiles of slab `number` (0-based) of so many are described: about MOST of a volume, spread out."""
    return (number + 1) * MOST // slabs - number * MOST // slabs


def cut(slab: Slices, inside: npt.NDArray[np.bool_], modality: str, count: int, turn: int) -> list[Slices]:
    """Return at most `count` tiles of a slab (slices, rows, columns) in standard units.

    inside: (slices, cells, cells) where the body is, see `preprocess.body`. turn: number of the slab; neighbours
    begin with different tiles, so that together they cover the body.
    """
    side = SIDES["CT" if modality == "CT" else "MR"]
    starts = []
    for axis in (1, 2):
        filled = np.flatnonzero(inside.any((0, 3 - axis)))
        low, high = (filled[0] * CELL, (filled[-1] + 1) * CELL) if len(filled) else (0, slab.shape[axis])
        last = max(0, slab.shape[axis] - side)
        number = max(1, -(-(high - low - 2 * CELL) // side))
        ends = (min(low, last), min(max(low, high - side), last))
        middle = [min(last, max(0, (low + high - side) // 2))]
        starts.append(middle if number == 1 else sorted({round(v) for v in np.linspace(*ends, number)}))
    share = inside.mean(0)
    places = [(float(share[_cells(r, side), _cells(c, side)].mean()), r, c) for r in starts[0] for c in starts[1]]
    good = [(r, c) for part, r, c in places if part >= LEAST_BODY] or [max(places)[1:]]
    chosen = [good[(turn + i * len(good) // min(count, len(good))) % len(good)] for i in range(min(count, len(good)))]
    return [_fitting(slab[:, r : r + side, c : c + side], side, modality) for r, c in sorted(set(chosen))]


def describe(tile: Slices, modality: str) -> npt.NDArray[np.float32]:
    """Return (LENGTH,) numbers about a tile: its texture, that of half as many pixels, its marks. Order: NAMES.

    A stack read backwards is the same (`backwards`). Texture and marks of place are of its first and last slice.
    """
    tile = np.asarray(tile[::-1] if backwards(tile) else tile, np.float32)
    missing = [max(0, marks.SMALLEST - n) for n in tile.shape[1:]]
    whole = np.pad(tile, [(0, 0), *((0, n) for n in missing)], mode="symmetric") if any(missing) else tile
    ends = whole[[0, -1]] if len(whole) > 1 else whole
    grey = ends if modality == "CT" else ends * np.float32(MR_GREYS)
    place = (
        *marks_place.marks(ends, *marks.tissue(ends, modality), modality == "CT"),
        *marks_stack.marks(*marks.tissue(whole, modality)),
    )
    return np.concatenate(
        [
            handcrafted.features(grey, modality, more=True),
            handcrafted.features(_halved(grey), modality, more=True),
            marks.marks(tile, modality),
            np.nan_to_num(np.array(place, np.float32), posinf=0.0, neginf=0.0),
        ]
    )


def describe_shortly(tile: Slices, modality: str) -> npt.NDArray[np.float32]:
    """Return (SHORT,) numbers about a tile as models before 0.3.0 want them: texture of every other slice, marks."""
    grey = tile[::2] if modality == "CT" else tile[::2] * MR_GREYS
    return np.concatenate([handcrafted.features(grey, modality, more=True), marks.marks(tile, modality)])


def backwards(slices: npt.NDArray[Any]) -> bool:
    """Whether a stack is to be read from its end: it begins with the darker end, whichever way it was stored."""
    return len(slices) > 1 and float(np.nanmean(slices[0], dtype=np.float64)) > float(
        np.nanmean(slices[-1], dtype=np.float64)
    )


def _halved(x: Slices) -> Slices:
    rows, columns = (n // 2 * 2 for n in x.shape[1:])
    x = x[:, :rows, :columns]
    halved: Slices = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    return halved


def _cells(first: int, side: int) -> slice:
    return slice(first // CELL, -(-(first + side) // CELL))


def _fitting(tile: Slices, side: int, modality: str) -> Slices:
    missing = [max(0, side - n) for n in tile.shape[1:]] if modality == "CT" else [0, 0]
    return np.pad(tile, [(0, 0), *((0, n) for n in missing)], constant_values=CT_RANGE_HU[0]) if any(missing) else tile
