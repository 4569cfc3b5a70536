"""Marks of the stack: whether neighbouring slices follow one another, seen in pixels so broad that noise hardly counts.

`marks` compares slices pixel by pixel, where noise is most of the difference between neighbours of a CT. Here they are
compared as means of 4 x 4 and 12 x 12 pixels: what anatomy does from slice to slice remains. A slice that is no step on
the way between its neighbours lies in the wrong place, one that equals its neighbour is a copy, one that differs from
both of them has a fault of its own. Numbers for a regression, without unit and direction. Our own, plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise, permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Slices = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

SIDES = (4, 12)
"""Pixels along a side of what is compared."""
MOST = 4
"""Slices that are compared: all orders of them are tried."""
SMALL = 1e-4
_EACH = ("step", "least", "most", "skip", "violation", "cost", "bend", "bend_most", "apart")
NAMES = (*(f"stack_{side}_{name}" for side in SIDES for name in _EACH), "stack_level", "stack_edges", "stack_body")


def marks(task: Slices, body: Mask) -> Iterator[float]:
    """Yield the marks of NAMES of 1 to 4 neighbouring slices (slices, rows, columns), zeros for a slice alone.

    task: grey values 0..1 of the soft-tissue window for CT, about 0..1 for MR. body: where it is.
    """
    task, body = task[:MOST], body[:MOST]
    if len(task) < 2:
        yield from [0.0] * len(NAMES)
        return
    inside: Mask = np.asarray(body.any(0))
    for side in SIDES:
        broad, there = _averaged(task, side), _averaged(inside[None].astype(np.float32), side)[0] > 0.5
        yield from _way(broad[:, there] if there.any() else broad.reshape(len(broad), -1))
    level = np.array([float(one[there].mean()) for one, there in zip(task, _some(body), strict=True)])
    edges = np.array([float(np.abs(np.diff(one, axis=0)).mean()) for one in task])
    yield from (_odd(np.log(level.clip(SMALL))), _odd(np.log(edges + SMALL)), _odd(body.mean((1, 2))))


def _way(values: Slices) -> Iterator[float]:
    """Yield how one slice leads to the next. values: (slices, places)."""
    count = len(values)
    contrast = float(values.std()) + SMALL
    apart = np.abs(values[:, None] - values[None]).mean(2) / contrast  # (slices, slices)
    near = np.array([apart[i, i + 1] for i in range(count - 1)])
    yield from (_log(near.mean()), _log(near.min() / (near.mean() + SMALL)), _log(near.max() / (near.mean() + SMALL)))
    if count == 2:
        yield from [0.0] * (len(_EACH) - 3)
        return
    yield float(np.mean([apart[i, i + 2] for i in range(count - 2)]) / (near.mean() + SMALL))
    worst = [max(apart[i, j], apart[j, k]) / (apart[i, k] + SMALL) - 1.0 for i, j, k in combinations(range(count), 3)]
    yield float(np.clip(max(worst), -1.0, 5.0))
    shortest = min(sum(apart[a, b] for a, b in pairwise(way)) for way in permutations(range(count)))
    yield float(np.clip(near.sum() / (shortest + SMALL) - 1.0, 0.0, 5.0))
    bends = [
        float(np.abs(values[i] - (values[i - 1] + values[i + 1]) / 2).mean()) / contrast / (near.mean() + SMALL)
        for i in range(1, count - 1)
    ]
    yield from (float(np.mean(bends)), max(bends))
    yield _log(float(apart.max()))


def _averaged(x: Slices, side: int) -> Slices:
    """Return means of `side` x `side` pixels; what is over at the ends is left out."""
    rows, columns = (max(1, n // side) for n in x.shape[1:])
    side_r, side_c = min(side, x.shape[1]), min(side, x.shape[2])
    cut = x[:, : rows * side_r, : columns * side_c]
    found: Slices = cut.reshape(len(x), rows, side_r, columns, side_c).mean((2, 4))
    return found


def _some(body: Mask) -> Mask:
    return body | ~body.any((1, 2), keepdims=True)


def _odd(values: npt.NDArray[np.floating[Any]]) -> float:
    """Return how far the oddest of some values lies from the middle one."""
    return float(np.abs(values - np.median(values)).max())


def _log(value: float) -> float:
    return float(np.log10(value + SMALL))
