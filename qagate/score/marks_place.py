"""Marks of place: where in a field texture, grey values and copies lie, and how little it takes to change the field.

Beside `marks`: local extremes of noise and edges, what lies along the borders, ghosts of the body in the air, grey
values heaped at their ends, tissue beside bone; and for some mild filters how much edges change when they are applied
once more: what was blurred already changes little. Numbers for a regression, without unit and direction.

Sources: edges that change: Xue et al., IEEE TIP 2014 (gradient magnitude similarity); blurring again to see blur:
Crete et al., SPIE 6492, 2007 (in idea); the rest is our own and plain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Slices = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

SMALL = 1e-6
GMS_C = 170 / 255**2
NOISE_MASKING = 4.0
BORDERS = (0, 2, 4, 8, 16, 32)
"""Pixels from the nearest border; the last bin has no end."""
FILTERS: dict[str, Callable[[Slices], Slices]] = {
    "gauss_07": lambda x: ndimage.gaussian_filter(x, (0, 0.7, 0.7), truncate=3.0),
    "gauss_15": lambda x: ndimage.gaussian_filter(x, (0, 1.5, 1.5), truncate=2.5),
    "median": lambda x: np.stack([_median_of_five(one) for one in x]),
    "down": lambda x: ndimage.uniform_filter1d(x, 5, axis=1),
    "across": lambda x: ndimage.uniform_filter1d(x, 5, axis=2),
    "coarse": lambda x: np.round(x * 32.0) / 32.0,
}

NAMES = (
    *(f"{what}_{q}" for what in ("noise", "edge", "middle") for q in ("low", "half", "high", "top")),
    "noise_with_edge", "noise_with_grey", *(f"border_{first}" for first in BORDERS[:-1]), "side_low", "side_high",
    "smear", "near_bone", "near_bone_low", "ghost_air_down", "ghost_air_across", "ghost_air_at",
    "top_heap", "top_tail", "bottom_heap", "bottom_tail",
    *(f"changed_{name}_{what}" for name in FILTERS for what in ("edges", "size")),
)  # fmt: skip


def marks(x: Slices, task: Slices, body: Mask, ct: bool) -> Iterator[float]:
    """Yield the marks of NAMES of one or two slices (slices, rows, columns) of at least 32 x 32 pixels.

    x: standard units; task: grey values 0..1 of the soft-tissue window for CT, x for MR. body: where it is.
    """
    yield from _local(task, body)
    yield from _borders(x / 100.0 if ct else x / (float(x[body].mean()) + SMALL), body)
    yield from _bone(x, body, ct)
    found = np.mean([_air_copies(one, there) for one, there in zip(x + (1000.0 if ct else 0.0), body, strict=True)], 0)
    yield from (float(v) for v in found)
    yield from _heaps(x[body])
    yield from _changes(np.clip(task, 0.0, 1.2), body)


def _local(task: Slices, body: Mask) -> Iterator[float]:
    """Yield logarithms of local noise, edges and middle frequencies: quantiles over the body."""
    fine = task - ndimage.gaussian_filter(task, (0, 1.0, 1.0), truncate=2.5)
    middle = ndimage.gaussian_filter(task, (0, 1.5, 1.5), truncate=2.5)
    edge = np.hypot(ndimage.prewitt(middle, 1), ndimage.prewitt(middle, 2))
    middle = middle - ndimage.gaussian_filter(middle, (0, 4.0, 4.0), truncate=2.0)
    maps = [np.log10(ndimage.uniform_filter(np.abs(m), (0, 15, 15))[body][::7] + 1e-4) for m in (fine, edge, middle)]
    for values in maps:
        low, half, high, top = np.percentile(values, (5, 50, 90, 99))
        yield from (float(low), float(half), float(high), float(top))
    grey = ndimage.uniform_filter(task, (0, 15, 15))[body][::7]
    for other in (maps[1], grey):
        spread = float(maps[0].std() * other.std())
        yield float(np.mean((maps[0] - maps[0].mean()) * (other - other.mean()))) / spread if spread > 1e-9 else 0.0


def _borders(grey: Slices, body: Mask) -> Iterator[float]:
    """Yield how grey values of the body near the borders differ from those within, and the extreme sides."""
    rows, columns = grey.shape[1:]
    down, across = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in (rows, columns))
    ring = np.minimum(down[:, None], across[None, :])
    bins = np.searchsorted(BORDERS, ring, side="right") - 1
    place = np.broadcast_to(bins, grey.shape)[body]
    count = np.bincount(place, minlength=len(BORDERS))
    mean = np.bincount(place, grey[body], minlength=len(BORDERS)) / np.maximum(count, 1)
    for k in range(len(BORDERS) - 1):
        yield float(mean[k] - mean[-1]) if min(count[k], count[-1]) > 20 else 0.0
    sides = []
    for axis in (1, 2):
        for turned in (slice(None), slice(None, None, -1)):
            g = np.moveaxis(grey, axis, 1)[:, turned]
            b = np.moveaxis(body, axis, 1)[:, turned]
            near, far = b[:, :8], b[:, 14:30]
            if min(near.sum(), far.sum()) > 50:
                sides.append(float(g[:, :8][near].mean() - g[:, 14:30][far].mean()))
    yield from (min(sides, default=0.0), max(sides, default=0.0))


def _bone(x: Slices, body: Mask, ct: bool) -> Iterator[float]:
    """Yield for CT the share of smooth values between air and fat, and how soft tissue beside bone differs."""
    if not ct:
        yield from (0.0, 0.0, 0.0)
        return
    steep = np.hypot(ndimage.prewitt(x, 1), ndimage.prewitt(x, 2)) / 6.0
    yield _log(float(((x > -900) & (x < -200) & (steep < 25)).mean()))
    soft = (x > -150) & (x < 250) & body
    near = ndimage.maximum_filter((x > 300).astype(np.uint8), (0, 21, 21)) > 0
    beside, rest = soft & near, soft & ~near
    if min(beside.sum(), rest.sum()) < 100:
        yield from (0.0, 0.0)
        return
    smooth = ndimage.uniform_filter(x, (0, 3, 3))
    middle = float(np.median(smooth[rest]))
    yield float(np.median(smooth[beside]) - middle) / 100.0
    yield float(np.percentile(smooth[beside], 5) - np.percentile(smooth[rest], 5)) / 100.0


def _air_copies(x: Slices, body: Mask) -> tuple[float, float, float]:
    """Return how much of the body comes again in the air of one slice, moved down and across, and where."""
    air = ~ndimage.binary_dilation(body, iterations=3)
    if air.mean() < 0.05 or body.mean() < 0.05:
        return 0.0, 0.0, 0.0
    outside = np.where(air, x - x[air].mean(), 0.0)
    outside = np.clip(outside, *np.percentile(outside[air], (1, 99)))
    inside = np.where(body, x - 0.5 * x[body].mean(), 0.0)
    size = [fft.next_fast_len(n, real=True) for n in x.shape]
    there = np.conj(fft.rfft2(inside, size))
    cross = fft.irfft2(fft.rfft2(outside, size) * there, size)
    # how much of the body could lie in the air at each shift
    room = fft.irfft2(fft.rfft2(air.astype(np.float32), size) * np.conj(fft.rfft2(body.astype(np.float32), size)), size)
    room = np.maximum(room, 0.0)
    cross = cross / (np.sqrt(room) + 30.0) / (float(outside[air].std()) * float(inside[body].std()) + SMALL)
    found, at = [], []
    for line in (cross[:, 0], cross[0]):
        line = np.maximum(line, line[-np.arange(len(line))])[8 : len(line) // 2 + 1]
        over = line - ndimage.median_filter(line, 21, mode="nearest")
        found.append(float(np.log1p(np.clip(over.max() / (np.abs(over).mean() + 0.1), 0.0, 1e3))))
        at.append((8 + int(over.argmax())) / (2.0 * len(line)))
    return found[0], found[1], at[int(found[1] > found[0])]


def _heaps(values: Slices) -> Iterator[float]:
    """Yield how many values lie at both ends of their range, and how long its tails are."""
    p001, p01, p50, p99, p999 = (float(v) for v in np.percentile(values[::3], (0.1, 1, 50, 99, 99.9)))
    span = p999 - p001 + SMALL
    yield _log(float((values > p999 - 0.01 * span).mean()))
    yield (p999 - p99) / (p99 - p50 + 0.05 * span)
    yield _log(float((values < p001 + 0.01 * span).mean()))
    yield (p01 - p001) / (p50 - p01 + 0.05 * span)


def _changes(task: Slices, body: Mask) -> Iterator[float]:
    """Yield for each filter how much edges change inside the body, as labels see it, and how much the values."""
    edge = np.hypot(ndimage.prewitt(task, 1), ndimage.prewitt(task, 2)) / 3.0
    laplacian = (
        task[:, :-2, 1:-1] + task[:, 2:, 1:-1] + task[:, 1:-1, :-2] + task[:, 1:-1, 2:] - 4 * task[:, 1:-1, 1:-1]
    )
    noise = (float(np.median(np.abs(laplacian[:, ::2, ::2]))) / (0.6745 * 20**0.5)) ** 2
    contrast = float(task[body].std()) + 1e-3
    for constant, apply in zip((GMS_C + NOISE_MASKING * noise,) * len(FILTERS), FILTERS.values(), strict=True):
        other = apply(task)
        again = np.hypot(ndimage.prewitt(other, 1), ndimage.prewitt(other, 2)) / 3.0
        worse = 1.0 - (2 * edge * again + constant) / (edge**2 + again**2 + constant)
        yield float(np.sqrt(np.mean(worse[body] ** 2)))
        yield _log(float(np.abs(other - task)[body].mean()) / contrast)


def _median_of_five(x: Slices) -> Slices:
    """Return the median of each pixel and its four neighbours."""
    padded = np.pad(x, 1, mode="edge")
    stack = np.stack([x, padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    stack.partition(2, axis=0)
    found: Slices = stack[2]
    return found


def _log(value: Any) -> float:
    return float(np.log10(max(float(value), 0.0) + SMALL))
