"""Labels: how far a degraded volume is from its reference, as one number for all artefacts.

Inside the body, after the windows a reader would use, three full-reference measures with different blind spots are
averaged: structure (multi-scale SSIM), edges (gradient magnitude similarity) and wavelets (HaarPSI). None of them minds
slow shading much, so tone (local mean grey) is added in quadrature. Differences below the noise of the reference count
little, so that a noisy original is not called much better than its smooth copy. A place counts as bad as the worse of
the windows shows it; places are pooled with power 2 and slices with power 3, because readers judge by the worst part.
Artefacts are then comparable by what they do to the image, not by their own parameters.

This stands in for readers' opinions and is not one: see the model card.
Sources: Wang et al., Asilomar 2003 (MS-SSIM); Xue et al., IEEE TIP 2014 (GMSD); Reisenhofer et al., Signal Process
Image Commun 2018 (HaarPSI; the constants are nearer to those tuned for medical images, arXiv 2410.24098).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

CT_WINDOWS_HU = ((-160.0, 240.0), (-1000.0, 600.0))
MR_WINDOWS = ((0.0, 1.0),)

SSIM_SCALES = 3
SSIM_C1, SSIM_C2 = 0.02**2, 0.05**2
GMS_C = 170 / 255**2
HAAR_C, HAAR_ALPHA = (10 / 255) ** 2, 4.9
PLACES_POWER, SLICES_POWER = 2.0, 3.0
TONE_SCALE, TONE_WEIGHT = 0.15, 0.5
"""Slow changes: a shift by this much of a window counts 0.63 of the most it can; then relative to texture."""
NOISE_MASKING = 4.0
"""How much the noise of the reference itself adds to the constants: what lies below the noise cannot be lost."""
HALF_QUALITY_AT, STEEPNESS = 0.27, 1.7
SMALLEST_BODY = 0.02
"""Share of a volume below which the body is taken to be everywhere (phantoms, black images)."""


def body_mask(volume: Tensor, modality: str) -> Tensor:
    """Return where the body is, (batch, slices, rows, columns) bool, lungs included.

    CT (HU): a 5 x 5 mean above -930. MR (brightest tissue 1): a 5 x 5 mean above 0.07, small holes closed. A volume in
    which that is next to nothing counts as body as a whole.
    """
    clean = torch.nan_to_num(volume)
    mask = _box(clean.clamp(-1100, 500)) > -930 if modality == "CT" else _box(clean.clamp(0, 1)) > 0.07
    grown = _highest(mask.to(volume.dtype), 9)
    mask = _highest(-grown, 7) < -0.5
    empty = mask.flatten(1).to(volume.dtype).mean(1) < SMALLEST_BODY
    return mask | empty[:, None, None, None]


def slice_distance(reference: Tensor, degraded: Tensor, modality: str, spacing_mm: Tensor | None = None) -> Tensor:
    """Return the distance of every slice, (batch, slices), 0 (the same) .. 1.

    reference, degraded: (batch, slices, rows, columns), HU or MR with the brightest tissue at 1. spacing_mm is not used
    yet: the measures look at pixels, as the network does.
    """
    batch, slices, rows, columns = reference.shape
    windows = CT_WINDOWS_HU if modality == "CT" else MR_WINDOWS
    mask = body_mask(reference, modality).to(reference.dtype).reshape(batch * slices, 1, rows, columns)
    a, b = (_windowed(v.reshape(batch * slices, rows, columns), windows) for v in (reference, degraded))
    noise = NOISE_MASKING * _noise_variance(a)
    texture = torch.stack((_structure(a, b, mask, noise), _edges(a, b, mask, noise), _wavelets(a, b, mask, noise)))
    texture = texture.mean(0)
    distance = torch.hypot(texture, TONE_WEIGHT * _tone(a, b, mask)).clamp(0, 1).reshape(batch, slices)
    return torch.where((reference == degraded).flatten(2).all(2), 0.0, distance)


def distance(reference: Tensor, degraded: Tensor, modality: str, spacing_mm: Tensor | None = None) -> Tensor:
    """Return the distance of every volume, (batch,), 0 (the same) .. 1; slices pooled by `pool_slices`."""
    mask = body_mask(reference, modality)
    return pool_slices(slice_distance(reference, degraded, modality, spacing_mm), mask.flatten(2).float().mean(2))


def pool_slices(distances: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return (mean of distance³)^⅓ over the last axis, weighted by the body's share of each slice when given."""
    weights = torch.ones_like(distances) if weights is None else weights.clamp_min(1e-3)
    powered = (distances**SLICES_POWER * weights).sum(-1) / weights.sum(-1)
    return powered ** (1 / SLICES_POWER)


def quality(distance: Tensor) -> Tensor:
    """Return quality 1 (best) .. 0 of a distance: 1 / (1 + (distance / half)^steepness).

    The scale is set so that visually mild damage lies near 0.75, moderate near 0.5 and severe near 0.25.
    """
    return 1 / (1 + (distance.clamp_min(0) / HALF_QUALITY_AT) ** STEEPNESS)


def _windowed(volume: Tensor, windows: tuple[tuple[float, float], ...]) -> Tensor:
    """Return (images, windows, rows, columns) as 0..1."""
    clean = torch.nan_to_num(volume)
    return torch.stack([((clean - low) / (high - low)).clamp(0, 1) for low, high in windows], 1)


def _box(volume: Tensor) -> Tensor:
    rows = F.avg_pool2d(volume, (5, 1), 1, (2, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, 5), 1, (0, 2), count_include_pad=False)


def _highest(volume: Tensor, width: int) -> Tensor:
    """Return the highest value in a square around each pixel."""
    rows = F.max_pool2d(volume, (width, 1), 1, (width // 2, 0))
    return F.max_pool2d(rows, (1, width), 1, (0, width // 2))


def _gauss(images: Tensor) -> Tensor:
    """Return images smoothed by a 7-tap Gaussian of 1.5 pixels, the border repeated."""
    taps = [math.exp(-0.5 * (n / 1.5) ** 2) for n in (0, 1, 2, 3)]
    total = taps[0] + 2 * sum(taps[1:])
    rows, columns = images.shape[-2:]
    padded = F.pad(images.flatten(0, -3), (3, 3, 3, 3), mode="replicate")
    # sums of shifted views: several times faster than a one-channel convolution on the CPU
    lines = padded[:, 3 : 3 + rows] * (taps[0] / total)
    for n in (1, 2, 3):
        lines.add_(padded[:, 3 - n : 3 - n + rows], alpha=taps[n] / total)
        lines.add_(padded[:, 3 + n : 3 + n + rows], alpha=taps[n] / total)
    smooth = lines[..., 3 : 3 + columns] * (taps[0] / total)
    for n in (1, 2, 3):
        smooth.add_(lines[..., 3 - n : 3 - n + columns], alpha=taps[n] / total)
        smooth.add_(lines[..., 3 + n : 3 + n + columns], alpha=taps[n] / total)
    return smooth.reshape(images.shape)


def _pooled(badness: Tensor, mask: Tensor) -> Tensor:
    """Return (mean over the body of badness²)^½, (images,), of the worst window at each place."""
    worst = badness.amax(1, keepdim=True).clamp_min(0)
    total = (worst**PLACES_POWER * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp_min(1)
    return total ** (1 / PLACES_POWER)


def _noise_variance(images: Tensor) -> Tensor:
    """Return the variance of the noise of each image, (images, windows, 1, 1), from the median Laplacian.

    Source: Immerkær, Comput Vis Image Underst 1996, with the median in place of the mean.
    """
    rows = images[..., :-2, :] - 2 * images[..., 1:-1, :] + images[..., 2:, :]
    laplacian = (rows[..., :-2] - 2 * rows[..., 1:-1] + rows[..., 2:]).abs()
    # areas that the window has made flat say nothing
    values = laplacian[..., ::2, ::2].flatten(2)
    values = torch.where(values > 0, values, torch.nan)
    sd = torch.nan_to_num(values.nanmedian(-1).values) / (0.6745 * 6)
    sd = sd * (values.isfinite().float().mean(-1) > 0.2)
    return (sd**2)[..., None, None]


def _tone(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Return 1 - exp(-|difference| / scale) of the grey values averaged over 8 x 8 pixels, pooled."""
    size = min(8, *a.shape[-2:])
    difference = F.avg_pool2d((b - a) * mask, size).abs()
    return _pooled(1 - torch.exp(-difference / TONE_SCALE), F.avg_pool2d(mask, size))


def _structure(a: Tensor, b: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
    """Return 1 - SSIM, pooled per scale, mean over scales of a factor of two."""
    parts = []
    for scale in range(SSIM_SCALES):
        if scale:
            if min(a.shape[-2:]) < 16:
                break
            a, b, mask = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2), F.avg_pool2d(mask, 2)
        mean_a, mean_b, aa, bb, ab = _gauss(torch.stack((a, b, a * a, b * b, a * b)))
        var_a, var_b, cov = aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b
        light = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
        constant = SSIM_C2 + noise / 4**scale
        shape = (2 * cov + constant) / (var_a + var_b + constant)
        parts.append(_pooled(1 - light * shape, mask))
    return torch.stack(parts).mean(0)


def _edges(a: Tensor, b: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
    """Return 1 - gradient magnitude similarity at half resolution, pooled."""
    a, b, mask = (F.avg_pool2d(v, 2) for v in (a, b, mask))
    ga, gb = _gradient(a), _gradient(b)
    constant = GMS_C + noise / 4
    return _pooled(1 - (2 * ga * gb + constant) / (ga**2 + gb**2 + constant), mask)


def _gradient(images: Tensor) -> Tensor:
    """Return the Prewitt gradient magnitude."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    columns = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
    dx = (rows[..., 2:] - rows[..., :-2]) / 3
    dy = (columns[..., 2:, :] - columns[..., :-2, :]) / 3
    magnitude: Tensor = (dx**2 + dy**2 + 1e-12).sqrt()
    return magnitude


def _sums(images: Tensor, width: int, axis: int) -> Tensor:
    """Return sums over `width` (a power of two) neighbours along an axis: entry i covers i .. i + width - 1."""
    step = 1
    while step < width:
        size = images.shape[axis] - step
        images = images.narrow(axis, 0, size) + images.narrow(axis, step, size)
        step *= 2
    return images


def _haar(images: Tensor, scale: int) -> Tensor:
    """Return magnitudes of the horizontal and vertical Haar response of width 2^scale, stacked on axis 1.

    Scaled as the mean of one half less the mean of the other, times half the width.
    """
    size = 2**scale
    half = size // 2
    padded = F.pad(images, (half, size - 1 - half, half, size - 1 - half), mode="replicate")
    box = _sums(_sums(padded, size, -2), half, -1)
    dx = box[..., half:] - box[..., :-half]
    box = _sums(_sums(padded, size, -1), half, -2)
    dy = box[..., half:, :] - box[..., :-half, :]
    responses: Tensor = torch.cat((dx, dy), 1).abs() / size
    return responses


def _wavelets(a: Tensor, b: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
    """Return 1 - HaarPSI."""
    weight = torch.maximum(_haar(a, 3), _haar(b, 3)) * mask
    similarity = torch.zeros_like(weight)
    constant = HAAR_C + noise.repeat(1, 2, 1, 1)
    for scale in (1, 2):
        ha, hb = _haar(a, scale), _haar(b, scale)
        similarity = similarity + (2 * ha * hb + constant) / (ha**2 + hb**2 + constant) / 2
    squashed = torch.sigmoid(HAAR_ALPHA * similarity)
    pooled = (squashed * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp_min(1e-9)
    pooled = torch.where(weight.sum(dim=(1, 2, 3)) > 1e-6, pooled, torch.sigmoid(torch.full_like(pooled, HAAR_ALPHA)))
    index: Tensor = (torch.logit(pooled.clamp(0.5, 1 - 1e-6)) / HAAR_ALPHA) ** 2
    return 1 - index
