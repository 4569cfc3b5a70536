"""Marks of the spectrum of one slice: missing lines, cut rings, bright spots, directions, and copies of edges.

See `marks` for what they are for and where they come from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Slices = npt.NDArray[np.floating[Any]]

SMALL = 1e-6
ANGLES = 24


def spectrum(x: Slices) -> tuple[float, ...]:
    """Return what lines, rings, spots and directions of the spectrum of one slice say."""
    rows, columns = x.shape
    edge = [np.minimum(1.0, np.minimum(np.arange(n) + 1, np.arange(n)[::-1] + 1) / max(2.0, 0.06 * n)) for n in x.shape]
    power = np.log10(np.abs(fft.fft2((x - x.mean()) * np.outer(*edge))) ** 2 / x.size + 1e-9)
    down, across = np.meshgrid(fft.fftfreq(rows) * 2, fft.fftfreq(columns) * 2, indexing="ij")
    found: list[float] = []
    for values, crossing, along in ((power, np.abs(across[0]), down[:, 0]), (power.T, np.abs(down[:, 0]), across[0])):
        line = values[:, (crossing > 0.04) & (crossing < 0.5)].mean(1)[np.argsort(along)]
        line = line[len(line) // 2 :]  # the spectrum of real numbers is symmetric
        rest = line - ndimage.median_filter(line, 9, mode="nearest")
        means = ndimage.uniform_filter1d(line, 5, mode="nearest")
        trend = ndimage.uniform_filter1d(np.diff(means), 25, mode="nearest")
        found += [float(rest[4:].std()), float(-rest[4:].min()), float(np.abs(np.diff(means) - trend)[6:].max())]
    radius = np.hypot(down, across)
    ring = np.minimum((radius * 40).astype(int), 41)
    count = np.maximum(np.bincount(ring.ravel(), minlength=42), 1)
    profile = (np.bincount(ring.ravel(), power.ravel(), minlength=42) / count)[2:40]
    drop = profile[:-3] - profile[3:]
    expected = ndimage.median_filter(drop, 13, mode="nearest")
    found += [float((drop - expected).max()), float((drop - expected).argmax()) / len(drop)]
    found.append(float(profile[10:20].mean() - profile[-6:].mean()))
    level = np.concatenate([[0.0, 0.0], profile, [profile[-1]] * 2])[ring]
    over = (power - level)[radius > 0.08]
    spread = float(np.std(over)) + 1e-3
    found += [float(over.max()) / spread, float(np.log10((over > 4.0 * spread).mean() + SMALL))]
    beyond = (radius > 0.15) & (radius < 0.9)
    angle = np.mod(np.arctan2(down, across), np.pi)[beyond]
    rest = (power - level)[beyond]
    for parts in (ANGLES, 4 * ANGLES):
        place = np.minimum((angle * (parts / np.pi)).astype(int), parts - 1)
        mean = np.bincount(place, rest, minlength=parts) / np.maximum(np.bincount(place, minlength=parts), 1)
        if parts == ANGLES:
            middle = float(np.median(mean))
            found += [float(mean.std()), float(mean.max()) - middle, middle - float(mean.min())]
        else:
            found.append(float((mean - ndimage.uniform_filter1d(mean, 5, mode="wrap")).std()))
    return tuple(found)


def copies(task: Slices) -> tuple[float, ...]:
    """Return how strongly edges come again at a distance along rows and columns, and where."""
    edges = ndimage.sobel(task, 0) ** 2 + ndimage.sobel(task, 1) ** 2
    edges = np.sqrt(edges)
    edges = edges - ndimage.uniform_filter(edges, 9)
    correlation = fft.irfft2(np.abs(fft.rfft2(edges)) ** 2, s=task.shape)
    correlation = correlation / (correlation[0, 0] + SMALL)
    peaks, places = [], []
    for line in (correlation[:, 0], correlation[0]):
        far = line[12 : len(line) // 2 + 1]
        over = far - ndimage.median_filter(far, 15, mode="nearest")
        peaks.append(float(over.max()))
        places.append((12 + int(over.argmax())) / len(line))
    return (*peaks, *places)
