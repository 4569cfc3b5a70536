"""Preprocess: from voxels to what the network sees. The same code serves training and use.

1. `standardise`: CT stays in HU, clipped; MR (and whatever is neither) is scaled so that its robust maximum is 1.
2. `body`: where there is a body, coarsely.
3. `channels`: five pictures of each slice: wide window, task window, high-pass residual, blob filter, local noise.
4. `overview`: the whole field of a slab at low resolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from qagate.domain.display import CT_WINDOWS_HU, DEFAULT_CT_WINDOW_HU
from qagate.score.grey import scale_of

CHANNELS = 5
OVERVIEW_PIXELS = 64
CELL = 16
"""Side of one cell of the score map, in pixels: patches start at multiples of it."""
CT_RANGE_HU = (-1024.0, 2000.0)
MR_RANGE = (-0.5, 4.0)
GREY_WINDOW_HU = (-160.0, 240.0)
"""What 0 and full white of a grey CT picture are taken for, when a file has no HU."""
CT_BODY_HU, MR_BODY = -400.0, 0.08
EMPTY = 0.03
SPARSE = 4
"""Every so many rows and columns tell whether a slice is empty."""
AIR_HU, BONE_HU = -1000.0, 600.0
AROUND_PIXELS, MOSTLY, MOST_BONE = 5, 0.7, 0.1
NOISE_UNIT = {"CT": 20.0, "MR": 0.03}
"""Noise of a usual picture; high-pass channels are in these units."""


@dataclass(frozen=True, slots=True)
class Standard:
    """How voxels were made standard: (voxels - low) * gain. windowed: grey of a window; see `beyond_window`."""

    modality: str
    low: float
    gain: float
    windowed: bool = False


def standardise(voxels: npt.NDArray[Any], modality: str | None) -> tuple[npt.NDArray[np.float32], Standard]:
    """Return (slices, rows, columns) float32 in standard units, and how. NaN and infinities become the lowest value."""
    how = standard_of(voxels, modality)
    return apply_standard(voxels, how), how


def standard_of(voxels: npt.NDArray[Any], modality: str | None, limit: int = 2_000_000) -> Standard:
    """Return how to make these voxels standard, from a regular sample of at most about `limit` voxels."""
    step = max(1, math.ceil((voxels.size / limit) ** (1 / 3)))
    sample = voxels[:: step if len(voxels) > 4 else 1, ::step, ::step].astype(np.float32).ravel()
    sample = sample[np.isfinite(sample)]
    if modality == "CT":
        scale = scale_of(sample)
        if scale.white is None:
            return Standard("CT", scale.offset, 1.0)
        gain = (GREY_WINDOW_HU[1] - GREY_WINDOW_HU[0]) / scale.white
        return Standard("CT", -GREY_WINDOW_HU[0] / gain, gain, windowed=True)
    if not sample.size:
        return Standard("MR", 0.0, 1.0)
    low = float(np.percentile(sample, 0.5))
    bright = sample[sample > low + 0.05 * (float(np.percentile(sample, 99.9)) - low)]
    high = float(np.percentile(bright, 99.5)) if bright.size else low
    return Standard("MR", low, 1.0 / (high - low) if high > low else 1.0)


def apply_standard(voxels: npt.NDArray[Any], how: Standard) -> npt.NDArray[np.float32]:
    """Return float32 voxels in standard units, clipped to the range of the modality."""
    lowest, highest = CT_RANGE_HU if how.modality == "CT" else MR_RANGE
    scaled = (voxels.astype(np.float32) - np.float32(how.low)) * np.float32(how.gain)
    scaled = np.nan_to_num(
        scaled, copy=False, nan=lowest if how.modality == "CT" else 0.0, posinf=highest, neginf=lowest
    )
    found: npt.NDArray[np.float32] = np.clip(scaled, lowest, highest, out=scaled)
    return found


def beyond_window(slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return slices of a soft-tissue window with a guess of what lay beyond its ends: air, and the inside of bone.

    Plateaus of black and white are what clipping leaves, and clipping is a fault; that of a display window is none.
    Black becomes air where it is nearly all black around: single black pixels are noise.
    """
    low, high = GREY_WINDOW_HU
    found = slices.copy()
    for picture in found:
        black, white = picture <= low + 1.0, picture >= high - 1.0
        air = black & (ndimage.uniform_filter(black.astype(np.float32), AROUND_PIXELS) > MOSTLY)
        if white.mean() < MOST_BONE:  # more is soft tissue in a lung window
            inner = ndimage.gaussian_filter(white.astype(np.float32), 2.0)
            picture[white] += BONE_HU * inner[white]
        picture[air] = AIR_HU
    return found


def body(slab: npt.NDArray[np.float32], modality: str, cell: int = CELL) -> npt.NDArray[np.bool_]:
    """Return where the body is, in cells of 16 x 16 pixels: (slices, ceil(rows / 16), ceil(columns / 16)) bool."""
    slices, rows, columns = slab.shape
    padded = np.pad(slab, ((0, 0), (0, -rows % cell), (0, -columns % cell)), mode="edge")
    cells = padded.reshape(slices, padded.shape[1] // cell, cell, padded.shape[2] // cell, cell).mean((2, 4))
    found: npt.NDArray[np.bool_] = cells > (CT_BODY_HU if modality == "CT" else MR_BODY)
    for index, mask in enumerate(found):
        found[index] = ndimage.binary_fill_holes(mask)
    return found


def filled(
    voxels: npt.NDArray[Any], indices: npt.NDArray[np.intp], how: Standard, modality: str
) -> npt.NDArray[np.intp]:
    """Return these indices of slices without the empty ones before the body begins and after it ends.

    A slice counts as empty when it shows less than EMPTY of the body that the fullest one shows; a black one between
    others is a fault and stays. All stay where there is no body at all.
    """
    coarse = (voxels[index, ::SPARSE, ::SPARSE][None] for index in indices)
    cells = np.array([body(apply_standard(one, how), modality, CELL // SPARSE).sum() for one in coarse])
    full = np.flatnonzero(cells > EMPTY * cells.max(initial=0))
    return indices[full[0] : full[-1] + 1] if len(full) else indices


def channels(slab: Tensor, modality: str, regions: Sequence[str] = ()) -> Tensor:
    """Return the five pictures of each slice. slab: (batch, slices, rows, columns) in standard units."""
    batch, slices, rows, columns = slab.shape
    x = slab.reshape(batch * slices, 1, rows, columns)
    unit = NOISE_UNIT["CT" if modality == "CT" else "MR"]
    if modality == "CT":
        centre, width = next((CT_WINDOWS_HU[r] for r in regions if r in CT_WINDOWS_HU), DEFAULT_CT_WINDOW_HU)
        wide = (x / 1000.0).clamp(-1.0, 1.0)
        task = ((x - centre) * (2.0 / width)).clamp(-1.0, 1.0)
    else:
        wide = (x * 2.0 - 1.0).clamp(-1.5, 2.0)
        task = _asinh(x * 8.0) - 1.5
    residual, blobs = (filtered / unit for filtered in _fine(x))
    # the residual has no mean, so the local SD of the picture's fine structure is the root of its local power
    power = _along(_along(F.pad(residual * residual, (3, 3, 3, 3), mode="replicate"), _SEVENTHS, 3), _SEVENTHS, 2)
    noise = torch.log1p(power.clamp_min(0.0).sqrt()) - 0.7
    five = torch.cat([wide, task, _asinh(residual), _asinh(blobs * 4.0), noise], 1)  # (n, 5, h, w)
    return five.reshape(batch, slices, CHANNELS, rows, columns)


STATISTICS = 46
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


@torch.no_grad()
def statistics(pictures: Tensor) -> Tensor:
    """Return plain statistics of each slice: (n, s, 5, h, w) → (n, s, 46).

    Means and spreads of the five pictures; shares of local noise, blobs and gradients over cells of 8 x 8; how the
    residual goes on to its neighbours (white noise: not at all; blur: smoothly); stripes; change through plane; and how
    much of the slice is flat or at its brightest.
    """
    n, s, _, h, w = pictures.shape
    x = pictures.flatten(0, 1)  # (n s, 5, h, w)
    task, residual, blobs, noise = x[:, 1], x[:, 2], x[:, 3], x[:, 4]
    across, down = task.diff(dim=2).abs(), task.diff(dim=1).abs()
    power = residual.square().mean((1, 2)) + 1e-4
    mean = x.mean((2, 3))
    # the same as x.std((2, 3)), which takes ten times as long on a CPU
    squares = (x - mean[..., None, None]).square().sum((2, 3))
    found = [mean, (squares / (h * w - 1)).sqrt()]  # 5 + 5
    edge = F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1))
    for picture in (noise, blobs.abs(), edge):
        found.append(_shares(picture))  # 3 x 5
    lags = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 1), (0, 4), (4, 0))
    for r, c in lags:  # 7
        found.append(((residual[:, r:, c:] * residual[:, : h - r, : w - c]).mean((1, 2)) / power)[:, None])
    found.append((residual.pow(4).mean((1, 2)) / power.square()).log()[:, None])  # 1
    for picture in (residual, task):  # 4
        found.append(torch.stack([picture.mean(1).diff(dim=1).std(1), picture.mean(2).diff(dim=1).std(1)], 1))
    found.append(torch.stack([(across < 1e-4).float().mean((1, 2)), (down < 1e-4).float().mean((1, 2))], 1))  # 2
    wide = x[:, 0]
    top = wide.amax((1, 2), keepdim=True)
    found.append(
        torch.stack([(wide > top - 0.01).float().mean((1, 2)), across.mean((1, 2)), down.mean((1, 2))], 1)
    )  # 3
    below, above = _beside(pictures, -1), _beside(pictures, 1)
    for channel in (1, 2):  # 4
        step = [(pictures[:, :, channel] - other[:, :, channel]).abs().mean((2, 3)) for other in (below, above)]
        found.append(torch.stack([torch.minimum(*step), torch.maximum(*step)], 2).flatten(0, 1))
    return torch.cat(found, 1).reshape(n, s, STATISTICS)


def _shares(picture: Tensor) -> Tensor:
    """Return how 8 x 8 means are spread: (n, h, w) → (n, 5) quantiles."""
    cells = F.avg_pool2d(picture[:, None], 8).flatten(1).sort(1).values
    return cells[:, [min(cells.shape[1] - 1, round(q * (cells.shape[1] - 1))) for q in _SHARES]]


def _beside(pictures: Tensor, step: int) -> Tensor:
    """Return for each slice its neighbour; at the ends the one on the other side, alone the slice itself."""
    count = pictures.shape[1]
    order = [i + step if 0 <= i + step < count else max(0, min(count - 1, i - step)) for i in range(count)]
    return pictures[:, order]


def overview(slab: Tensor, pixels: int = OVERVIEW_PIXELS) -> Tensor:
    """Return the whole field at low resolution: (batch, slices, rows, columns) → (batch, slices, pixels, pixels)."""
    if slab.shape[-2:] == (pixels, pixels):
        return slab
    if min(slab.shape[-2:]) >= pixels:
        return F.adaptive_avg_pool2d(slab, (pixels, pixels))
    return F.interpolate(slab, (pixels, pixels), mode="bilinear", align_corners=False)


def _fine(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return x minus its Gaussian of sigma 1 px, and its Laplacian of a Gaussian of sigma 2 px; (n, 1, h, w) each.

    Both filters are 9 x 9 and sums of products of one along rows and one along columns, each applied by itself: on a
    CPU that takes a third of the time of a convolution.
    """
    narrow, broad, bent, mean = _taps()
    padded = F.pad(x, (4, 4, 4, 4), mode="replicate")
    smooth = _along(_along(padded, narrow, 3), narrow, 2)
    blobs = _along(_along(padded, bent, 3), broad, 2) + _along(_along(padded, broad, 3), bent, 2)
    blobs -= _along(_along(padded, (mean,) * 9, 3), (1.0,) * 9, 2)
    return x - smooth, blobs


def _along(x: Tensor, taps: Sequence[float], dim: int) -> Tensor:
    """Return the correlation along one axis, without the ends. taps: symmetric, an odd number of them."""
    reach, length = len(taps) // 2, x.shape[dim] - len(taps) + 1
    out = x.narrow(dim, reach, length) * taps[reach]
    for k in range(reach):
        out += (x.narrow(dim, k, length) + x.narrow(dim, len(taps) - 1 - k, length)) * taps[k]
    return out


def _asinh(x: Tensor) -> Tensor:
    """Return the same as torch.asinh, which is not vectorised on a CPU."""
    size = x.abs()
    return torch.copysign(torch.log1p(size + size * size / (1.0 + (size * size + 1.0).sqrt())), x)


_SEVENTHS = (1.0 / 7.0,) * 7


@lru_cache(maxsize=1)
def _taps() -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]:
    """Return the taps, 9 each, of a Gaussian of sigma 1 px, and those that a Laplacian of a Gaussian is made of.

    That Laplacian, of sigma 2 px, is bent x broad + broad x bent minus `mean` everywhere, so that its sum is 0.
    """
    square = [float(k * k) for k in range(-4, 5)]
    gauss = [math.exp(-s / 2.0) for s in square]
    wide = [math.exp(-s / 8.0) for s in square]
    broad = tuple(w / sum(wide) for w in wide)
    bent = tuple((s / 16.0 - 0.25) * b for s, b in zip(square, broad, strict=True))
    return tuple(g / sum(gauss) for g in gauss), broad, bent, 2.0 * sum(bent) * sum(broad) / 81.0
