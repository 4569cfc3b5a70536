"""Physical measures of CT. Voxels are (slices, rows, columns) float32 in HU; what cannot be measured is None."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Voxels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

BODY_FROM_HU = -300.0
SOFT_HU = (0.0, 100.0)
AIR_BELOW_HU = -900.0
AIR_PEAK_HU = 15.0
PADDING_BELOW_HU = -1100.0
WINDOW = 7
FEWEST_PIXELS = 500
PROFILES = 300
"""Edge profiles per slice at most."""
HALF_WIDTH_PIXELS = 8.0
STEP_PIXELS = 0.1


def body(voxels: Voxels) -> Mask:
    """Return where there is body: a 3 x 3 mean above -300 HU, opened by 5 x 5 (thin tables go) and filled per slice."""
    dense = ndimage.uniform_filter(voxels, (0, 3, 3)) > BODY_FROM_HU
    return np.stack([filled(opened(one, 5)) for one in dense])


def opened(mask: Mask, width: int) -> Mask:
    """Return a (rows, columns) mask without what a square of `width` pixels does not fit into."""
    values = mask.astype(np.uint8)
    kept: Mask = ndimage.maximum_filter(ndimage.minimum_filter(values, width), width) > 0
    return kept


def filled(mask: Mask) -> Mask:
    """Return a (rows, columns) mask with its holes filled."""
    outside, count = ndimage.label(~np.pad(mask, 1))
    return (outside != outside[0, 0])[1:-1, 1:-1] if count else mask


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """Mean and standard deviation (n - 1) in 7 x 7 pixels around each pixel, (slices, rows, columns) HU."""

    mean: Voxels
    sd: Voxels


def local(voxels: Voxels) -> Local:
    """Return the local mean and standard deviation of every slice."""
    n = WINDOW * WINDOW
    shift = voxels.mean(dtype=np.float64).astype(np.float32)  # float32 squares of 1000 HU would be too coarse
    mean = ndimage.uniform_filter(voxels - shift, (0, WINDOW, WINDOW))
    square = ndimage.uniform_filter((voxels - shift) ** 2, (0, WINDOW, WINDOW))
    variance = np.clip(square - mean**2, 0, None) * (n / (n - 1))
    return Local(mean + shift, np.sqrt(variance))


def _mode(values: npt.NDArray[np.floating], width: float) -> float:
    """Return the place of the highest peak of a smoothed histogram with bins of `width`, by its centroid."""
    low = float(np.floor(values.min() / width) * width)
    counts = np.bincount(((values - low) / width).astype(np.int64)).astype(float)
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), mode="same")
    peak = int(smooth.argmax())
    near = slice(max(peak - 2, 0), peak + 3)
    places = low + (np.arange(len(counts))[near] + 0.5) * width
    return float((smooth[near] * places).sum() / smooth[near].sum())


def _noise(sd: npt.NDArray[np.floating]) -> float | None:
    """Return the mode of local standard deviations: edges only add to the upper tail."""
    if sd.size < FEWEST_PIXELS:
        return None
    top = float(np.percentile(sd, 50)) * 2
    if top <= 0:
        return None
    return _mode(sd[sd <= top], top / 60)


def noise_soft_tissue(near: Local) -> float | None:
    """Return the global noise level in soft tissue, HU; lower is better.

    The mode of the standard deviation in 7 x 7 pixels over all places whose local mean is 0..100 HU.
    Source: Christianson et al., AJR 2015 (global noise level).
    """
    return _noise(near.sd[(near.mean > SOFT_HU[0]) & (near.mean < SOFT_HU[1])])


def noise_air(voxels: Voxels, near: Local) -> float | None:
    """Return the noise in air, HU; lower is better. None where the scanner has clipped the air to one value.

    The mode of the standard deviation in 7 x 7 pixels over all places whose local mean is between -1100 and -900 HU;
    padding beyond the round field lies below.
    """
    air = (near.mean < AIR_BELOW_HU) & (near.mean > PADDING_BELOW_HU)
    values = voxels[air & (voxels > PADDING_BELOW_HU)]
    if values.size < FEWEST_PIXELS or np.mean(values == values.min()) > 0.1:
        return None
    return _noise(near.sd[air])


def air_level(voxels: Voxels, inside: Mask) -> float | None:
    """Return the most frequent value of the air around the body, HU, about -1000 on a calibrated scanner.

    Padding beyond the round field is left out. None when most of the air is clipped to one value below -1010, and when
    nothing lies between -1100 and -940 HU (foam and lungs do not).
    """
    air = voxels[~inside & (voxels > PADDING_BELOW_HU) & (voxels < -940)]
    if air.size < FEWEST_PIXELS:
        return None
    lowest = float(air.min())
    clipped = float(np.mean(air == lowest))
    if clipped > 0.5:
        return lowest if lowest > -1010 else None
    rest = air[air > lowest] if clipped > 0.05 else air
    if rest.size < FEWEST_PIXELS:
        return None
    level = _mode(rest, 2.0)
    # clothes and the table may be all that is left of a clipped background
    return level if np.mean(np.abs(air - level) < AIR_PEAK_HU) > 0.3 else None


def soft_tissue_peak(near: Local) -> float | None:
    """Return the most frequent local mean between -20 and 120 HU, HU: muscle and organs, 20..70 without contrast."""
    soft = near.mean[(near.mean > -20) & (near.mean < 120)]
    return _mode(soft, 2.0) if soft.size >= FEWEST_PIXELS else None


def streak_index(voxels: Voxels, near: Local) -> float | None:
    """Return how directional fine texture in soft tissue is, 0 (none) .. 1 (parallel streaks); lower is better.

    Coherence (λ1 - λ2) / (λ1 + λ2) of the structure tensor, gradients from 3 x 3, averaged over 21 x 21 pixels at
    places away from edges, mean over those places. With streaks of gradient variance S in one direction and
    noise of gradient variance N in each, it is S / (S + 2N).
    Source: Förstner and Gülch, ISPRS 1987 (structure tensor).
    """
    soft = (near.mean > SOFT_HU[0]) & (near.mean < SOFT_HU[1])
    level = _noise(near.sd[soft])
    if level is None:
        return None
    soft &= near.sd < 3 * level
    weight = _averaged(soft.astype(np.float32))
    place = soft & (weight > 0.5)
    if place.sum() < FEWEST_PIXELS:
        return None
    # scipy's own Sobel would also smooth across slices
    gy, gx = (
        ndimage.correlate1d(ndimage.correlate1d(voxels, (-1, 0, 1), along), (1, 2, 1), across) * soft
        for along, across in ((1, 2), (2, 1))
    )
    yy, xx, xy = (_averaged(v)[place] for v in (gy * gy, gx * gx, gy * gx))
    total = np.clip(yy + xx, 1e-6, None)
    return float(np.mean(np.hypot(yy - xx, 2 * xy) / total))


def _averaged(values: Voxels) -> Voxels:
    averaged: Voxels = ndimage.uniform_filter(values, (0, 21, 21))
    return averaged


def mtf50(voxels: Voxels, inside: Mask, pixel_mm: tuple[float, float]) -> float | None:
    """Return the frequency at which the modulation of the skin's edge falls to one half, 1/mm; higher is better.

    Profiles are sampled across the border between body and air, aligned where they cross the middle between their two
    plateaus, averaged to an edge-spread function, differentiated and transformed. A Gaussian blur of standard deviation
    s gives sqrt(ln 2 / 2) / (π s) = 0.187 / s.
    Source: Sanders et al., Med Phys 2016 (edge of the skin); ISO 12233 (slanted edge).
    """
    profiles = [p for image, mask in zip(voxels, inside, strict=True) if (p := _profiles(image, mask)) is not None]
    if not profiles:
        return None
    stack = np.concatenate(profiles)
    if len(stack) < 30:
        return None
    edge = np.median(stack, axis=0)
    spread = np.gradient(edge, STEP_PIXELS) * _flat_top(len(edge))
    transfer = np.abs(np.fft.rfft(spread, 8192))
    if transfer[0] <= 0:
        return None
    below = np.flatnonzero(transfer / transfer[0] < 0.5)
    if below.size == 0 or below[0] == 0:
        return None
    last = below[0]
    before, after = transfer[last - 1] / transfer[0], transfer[last] / transfer[0]
    index = last - 1 + (before - 0.5) / max(before - after, 1e-9)
    per_pixel = index / (8192 * STEP_PIXELS)
    return float(per_pixel / np.sqrt(pixel_mm[0] * pixel_mm[1]))


def _flat_top(size: int) -> npt.NDArray[np.float64]:
    """Return a window that is 1 over its middle half and falls to 0 as a cosine at both ends."""
    quarter = size // 4
    ramp = np.sin(np.linspace(0, np.pi / 2, quarter)) ** 2
    return np.concatenate((ramp, np.ones(size - 2 * quarter), ramp[::-1]))


def _profiles(image: Voxels, mask: Mask) -> npt.NDArray[np.float64] | None:
    """Return profiles (count, samples) from air to body across the skin, normalised to 0..1 and aligned."""
    if not mask.any() or mask.all():
        return None
    largest = ndimage.label(mask)[0]
    largest = largest == np.bincount(largest.ravel())[1:].argmax() + 1
    rim = largest & ~ndimage.binary_erosion(largest, border_value=1)
    reach = int(HALF_WIDTH_PIXELS) + 3
    rim[:reach], rim[-reach:], rim[:, :reach], rim[:, -reach:] = False, False, False, False
    places = np.argwhere(rim)
    if len(places) < 20:
        return None
    places = places[:: max(1, len(places) // PROFILES)].astype(float)
    smooth = ndimage.gaussian_filter(largest.astype(np.float32), 3)
    at = tuple(places.astype(int).T)
    normal = np.stack((ndimage.sobel(smooth, 0)[at], ndimage.sobel(smooth, 1)[at]), 1).astype(float)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    offsets = np.arange(-HALF_WIDTH_PIXELS - 2, HALF_WIDTH_PIXELS + 2 + STEP_PIXELS / 2, STEP_PIXELS)
    points = places[:, :, None] + normal[:, :, None] * offsets  # (count, 2, samples)
    across = ndimage.map_coordinates(image, points.transpose(1, 0, 2), order=3, mode="nearest").astype(float)
    quarter = int(3.5 / STEP_PIXELS)
    air, tissue = across[:, :quarter].mean(1), across[:, -quarter:].mean(1)
    flat = (np.ptp(across[:, :quarter], axis=1) < 250) & (np.ptp(across[:, -quarter:], axis=1) < 350)
    good = flat & (air < -850) & (tissue > -200) & (tissue < 200)
    across, air, tissue = across[good], air[good], tissue[good]
    if len(across) == 0:
        return None
    across = (across - air[:, None]) / (tissue - air)[:, None]
    middle = len(offsets) // 2
    search = slice(middle - int(4 / STEP_PIXELS), middle + int(4 / STEP_PIXELS))
    crossing = search.start + np.argmax(across[:, search] > 0.5, axis=1)
    width = int((HALF_WIDTH_PIXELS - 1) / STEP_PIXELS)
    kept = (crossing - width >= 0) & (crossing + width < across.shape[1]) & (crossing > search.start)
    if not kept.any():
        return None
    columns = crossing[kept, None] + np.arange(-width, width + 1)
    return np.take_along_axis(across[kept], columns, axis=1)
