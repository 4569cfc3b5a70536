"""Physical measures of MR. Voxels are (slices, rows, columns) float32, any scale; what cannot be measured is None."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from qagate.score.physics_ct import filled, opened

Voxels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

RAYLEIGH = float(np.sqrt(2 / (4 - np.pi)))
"""Standard deviation of each channel over that of the magnitude in air: 1 / 0.655."""
FEWEST_PIXELS = 300
MARGIN = 6
"""Pixels between the body and what counts as air."""


def threshold(values: npt.NDArray[np.floating]) -> float:
    """Return Otsu's threshold: the cut with the largest variance between the two classes. Source: Otsu, 1979."""
    low, high = np.percentile(values, (0.5, 99.5))
    if not high > low:
        return float(low)
    counts, edges = np.histogram(np.clip(values, low, high), bins=128)
    share = np.cumsum(counts) / counts.sum()
    middles = (edges[:-1] + edges[1:]) / 2
    sums = np.cumsum(counts * middles) / counts.sum()
    between = (sums[-1] * share - sums) ** 2 / np.clip(share * (1 - share), 1e-9, None)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))  # empty bins between two classes tie
    return float(edges[int(best.mean()) + 1])


def body(voxels: Voxels) -> Mask:
    """Return where there is body: a 3 x 3 mean above half of Otsu's threshold, opened by 3 x 3, filled per slice.

    Half, because the dark tissues of an image are brighter than air but darker than what Otsu parts.
    """
    smooth = ndimage.uniform_filter(voxels, (0, 3, 3))
    cut = threshold(smooth[:, ::2, ::2])
    floor = float(np.percentile(smooth, 1))
    found = smooth > floor + 0.5 * (cut - floor)
    return np.stack([filled(opened(one, 3)) for one in found])


def air(voxels: Voxels, inside: Mask) -> Mask:
    """Return air: away from the body and not zero-filled (defaced or masked images have no air left)."""
    near = ndimage.maximum_filter(inside.astype(np.uint8), (1, 2 * MARGIN + 1, 2 * MARGIN + 1)) > 0
    found: Mask = ~near & (voxels > 0)
    return found


def _eroded(inside: Mask, pixels: int) -> Mask:
    width = 2 * pixels + 1
    kept: Mask = ndimage.minimum_filter(inside.astype(np.uint8), (1, width, width)) > 0
    return kept


def _tissue_noise(voxels: Voxels, inside: Mask) -> float | None:
    """Return the standard deviation of noise inside the body from the median Laplacian of 3 x 3 pixels.

    Source: Immerkær, Comput Vis Image Underst 1996, with the median, which edges move little.
    """
    rows = voxels[:, :-2] - 2 * voxels[:, 1:-1] + voxels[:, 2:]
    laplacian = np.abs(rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:])
    values = laplacian[_eroded(inside, 1)[:, 1:-1, 1:-1]]
    if values.size < FEWEST_PIXELS:
        return None
    sd = float(np.median(values) / (0.6745 * 6))
    return sd if sd > 0 else None


def snr_air(voxels: Voxels, inside: Mask, away: Mask) -> float | None:
    """Return median signal of the body over the noise of the air, 0.655 · S / SD(air); higher is better.

    None without air. Source: Dietrich et al., J Magn Reson Imaging 2007 (Rayleigh correction of SD in air).
    """
    air = voxels[away]
    if air.size < FEWEST_PIXELS or inside.sum() < FEWEST_PIXELS:
        return None
    sd = float(air.std(dtype=np.float64)) * RAYLEIGH
    return float(np.median(voxels[inside])) / sd if sd > 0 else None


def snr_tissue(voxels: Voxels, inside: Mask) -> float | None:
    """Return median signal of the body over the noise inside it (median Laplacian); higher is better."""
    sd = _tissue_noise(voxels, inside)
    return None if sd is None else float(np.median(voxels[inside])) / sd


def cnr(voxels: Voxels, inside: Mask) -> float | None:
    """Return |median of the brighter - median of the darker tissue| over the noise inside the body; higher is better.

    The two tissues are the classes that Otsu's threshold makes of the body, taken 2 pixels away from its border.
    """
    sd = _tissue_noise(voxels, inside)
    core = _eroded(inside, 2)
    if sd is None or core.sum() < FEWEST_PIXELS:
        return None
    values = voxels[core]
    cut = threshold(values)
    bright, dark = values[values > cut], values[values <= cut]
    if min(bright.size, dark.size) < FEWEST_PIXELS // 10:
        return None
    return abs(float(np.median(bright)) - float(np.median(dark))) / sd


def ghosting_ratio(voxels: Voxels, inside: Mask, away: Mask) -> float | None:
    """Return |(top + bottom) - (left + right)| / (2 · signal) of the air beside the body, 0 .. 1; lower is better.

    Air above and below the body lies in its columns, air left and right in its rows; per slice, median over slices.
    None where the body fills the picture. Source: ACR MRI quality control manual (percent-signal ghosting).
    """
    ratios = []
    for image, mask, free in zip(voxels, inside, away, strict=True):
        if mask.sum() < FEWEST_PIXELS:
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        sides = []
        for area in (np.s_[:top, left:right], np.s_[bottom:, left:right], np.s_[top:bottom, :left],
                     np.s_[top:bottom, right:]):  # fmt: skip
            values = image[area][free[area]]
            sides.append(float(values.mean()) if values.size >= 50 else None)
        # a picture often ends at the body on one side: the opposite one then stands for both
        vertical = [v for v in sides[:2] if v is not None]
        horizontal = [v for v in sides[2:] if v is not None]
        signal = float(image[mask].mean())
        if vertical and horizontal and signal > 0:
            ratios.append(abs(float(np.mean(vertical)) - float(np.mean(horizontal))) / signal)
    return float(np.median(ratios)) if ratios else None


def efc(voxels: Voxels) -> float | None:
    """Return the entropy focus criterion, 0 (all energy in one voxel) .. 1 (spread evenly); lower is better.

    -Σ x/X · ln(x/X) / (√N · ln √N) per slice with X = √Σx² and N pixels, mean over slices.
    Source: Atkinson et al., IEEE TMI 1997; normalised by the highest value possible.
    """
    flat = np.abs(voxels.reshape(len(voxels), -1)).astype(np.float64)
    energy = np.sqrt((flat**2).sum(1))
    flat, energy = flat[energy > 0], energy[energy > 0]
    if len(flat) == 0:
        return None
    share = flat / energy[:, None]
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(1)
    root = np.sqrt(flat.shape[1])
    return float(np.mean(entropy / (root * np.log(root))))


def fber(voxels: Voxels, inside: Mask, away: Mask) -> float | None:
    """Return the mean energy per voxel of the body over that of the air; higher is better. None without air.

    Source: Shehzad et al., Front Neurosci 2015 (foreground to background energy ratio).
    """
    air = voxels[away].astype(np.float64)
    if air.size < FEWEST_PIXELS or inside.sum() < FEWEST_PIXELS:
        return None
    background = float(np.mean(air**2))
    return float(np.mean(voxels[inside].astype(np.float64) ** 2)) / background if background > 0 else None
