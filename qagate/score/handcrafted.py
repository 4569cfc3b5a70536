"""Hand-made features of a picture: what its grey values, edges, noise and spectrum say without any training.

`NAMES` are 47 well-known ones, `MORE_NAMES` a finer set (all of BRISQUE, noise in flat tissue, noise correlation,
direction, spectrum bands). They are used by the fine-tuned head beside the network's features, and by the baselines.
Each is a pure function of grey values scaled by `scaled`; none is a quality by itself, so no direction is given.

Sources: MSCN, GGD and AGGD: Mittal et al., BRISQUE, IEEE TIP 2012. Noise: Immerkaer, CVIU 1996; Donoho 1994 (MAD of
the finest Haar band). EFC: Atkinson et al., IEEE TMI 1997. Edge width: Marziliano et al., ICIP 2002.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from qagate.score.grey import scale_of
from qagate.score.statistic import (
    Picture,
    aggd,
    diagonal_laplacian,
    edge_width,
    ggd,
    haar,
    local_sd,
    log,
    mad,
    mscn,
    shape,
    spectrum,
)

CT_LIMITS_HU = (-1000.0, 1000.0)
EIGHT_BITS_FROM = 32.0
"""Whole pictures darker than this on 0..255 do not occur; such values are real numbers on a scale of their own."""
LARGEST, SMALLEST = 1024, 32
SLICES = 9

NAMES = (
    "mean", "sd", "skewness", "kurtosis", "p01", "p10", "p50", "p90", "p99", "entropy", "low_clipped", "high_clipped",
    "local_sd_3_p50", "local_sd_3_p90", "local_sd_7_p50", "local_sd_7_p90", "local_sd_15_p50", "local_sd_15_p90",
    "gradient_mean", "gradient_p95", "gradient_kurtosis", "laplacian_sd", "laplacian_mad", "noise_immerkaer",
    "noise_haar", "haar_1_axis", "haar_1_diagonal", "haar_2_axis", "haar_2_diagonal", "haar_3_axis", "haar_3_diagonal",
    "haar_1_kurtosis", "haar_2_kurtosis", "mscn_1_alpha", "mscn_1_sd", "mscn_1_h_alpha", "mscn_1_h_mean",
    "mscn_1_h_left", "mscn_1_h_right", "mscn_2_alpha", "mscn_2_sd", "spectrum_slope", "spectrum_low", "spectrum_middle",
    "spectrum_high", "edge_width", "efc",
)  # fmt: skip

MORE_NAMES = (
    *(f"mscn_1_{d}_{p}" for d in ("v", "d", "e") for p in ("alpha", "mean", "left", "right")),
    *(f"mscn_2_{d}_{p}" for d in ("h", "v", "d", "e") for p in ("alpha", "mean", "left", "right")),
    *(f"band_{s}_{q}" for s in (1, 2, 4) for q in ("flat", "tissue", "edge")),
    *(f"noise_correlation_{d}{lag}" for d in ("h", "v") for lag in (1, 2, 3)),
    *(f"haar_{level}_direction" for level in (1, 2, 3)),
    *(f"block_{d}" for d in ("h", "v")),
    "air_sd", "air_energy", "foreground", "coherence", "spectrum_direction",
    *(f"spectrum_band_{b}" for b in range(8)),
    "local_sd_7_p10", "local_contrast", "flat_noise_to_contrast", "gradient_p99_to_range",
)  # fmt: skip


def features(voxels: npt.NDArray[Any], modality: str | None, *, more: bool = False) -> npt.NDArray[np.float32]:
    """Return (47,) features of a picture (rows, columns) or of slices (slices, rows, columns), `more` for all of them.

    Of slices, up to nine evenly spaced ones are measured and the mean is returned. Features are finite whatever the
    voxels are. The order is that of NAMES, then MORE_NAMES.
    """
    slices = voxels[None] if voxels.ndim == 2 else voxels
    if len(slices) > 1:
        inner = slices[len(slices) // 10 : len(slices) - len(slices) // 10]
        slices = inner[np.unique(np.linspace(0, len(inner) - 1, SLICES).round().astype(int))]
    grey = scaled(slices, modality)
    measured = [list(_values(_fitting(picture), more)) for picture in grey]
    found: npt.NDArray[np.float32] = np.nan_to_num(np.mean(measured, axis=0), posinf=0.0, neginf=0.0).astype(np.float32)
    return found


def scaled(voxels: npt.NDArray[Any], modality: str | None) -> Picture:
    """Return grey values near 0..1: pictures by their own full range (see `grey`), CT by HU, the rest by percentiles.

    The rule looks only at the values and the modality, never at other pictures, so that one picture alone gets the same
    features as in a set. Values that are not finite become the lowest.
    """
    x = voxels.astype(np.float32)
    finite = np.isfinite(x)
    if not finite.all():
        x = np.where(finite, x, x[finite].min() if finite.any() else 0.0).astype(np.float32)
    low, high = float(x.min()), float(x.max())
    if low >= 0 and high <= 1.0:
        return x
    if low >= 0 and EIGHT_BITS_FROM < high <= 255.0:
        return x / np.float32(255.0)
    if modality == "CT":
        scale = scale_of(x)
        low, high = (0.0, scale.white) if scale.white else (end + scale.offset for end in CT_LIMITS_HU)
    else:
        low, high = (float(v) for v in np.percentile(x[..., ::2, ::2], (0.5, 99.5)))
        high = max(high, low + 1e-6)
    grey: Picture = np.clip((x - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return grey


def _fitting(x: Picture) -> Picture:
    """Return the picture with sides of 32 to 1024 pixels: the centre of larger ones, smaller ones mirrored."""
    for axis in (0, 1):
        extra = x.shape[axis] - LARGEST
        if extra > 0:
            x = np.take(x, np.arange(extra // 2, extra // 2 + LARGEST), axis=axis)
    missing = [max(0, SMALLEST - n) for n in x.shape]
    return np.pad(x, [(0, n) for n in missing], mode="symmetric") if any(missing) else x


def _values(x: Picture, more: bool) -> Iterator[float]:
    sample = x[::2, ::2]
    p01, p10, p50, p90, p99 = np.percentile(sample, (1, 10, 50, 90, 99))
    mean, sd = float(x.mean()), float(x.std())
    yield from (mean, sd, *shape(sample), p01, p10, p50, p90, p99)
    counts = np.histogram(sample, 64, (0.0, 1.0))[0]
    share = counts[counts > 0] / max(1, counts.sum())
    yield float(-(share * np.log2(share)).sum())
    yield float((sample <= sample.min() + 1e-6).mean())
    yield float((sample >= sample.max() - 1e-6).mean())

    deviations = {size: local_sd(x, size) for size in (3, 7, 15)}
    for deviation in deviations.values():
        yield from np.percentile(deviation[::2, ::2], (50, 90))

    down, across = (np.asarray(slope, np.float32) for slope in np.gradient(x))
    gradient = np.hypot(down, across)
    p95, gradient_p99 = np.percentile(gradient[::2, ::2], (95, 99))
    yield from (float(gradient.mean()), p95, shape(gradient[::2, ::2])[1])
    laplacian = ndimage.laplace(x)
    yield float(laplacian.std())
    yield mad(laplacian)
    mask = laplacian[1:-1, 1:-1] * 2 - (diagonal_laplacian(x))
    yield float(np.sqrt(np.pi / 2) * np.abs(mask).mean() / 6)

    bands = list(haar(x, 3))
    yield mad(bands[0][2])
    for h, v, d in bands:
        yield log(np.mean(h * h) + np.mean(v * v))
        yield log(np.mean(d * d))
    for h, _, _ in bands[:2]:
        yield shape(h)[1]

    first = mscn(x)
    yield from ggd(first)
    yield from aggd(first[:, 1:] * first[:, :-1])
    second = mscn(ndimage.uniform_filter(x, 2)[::2, ::2])
    yield from ggd(second)

    power, radius, angle = spectrum(x)
    ring = np.minimum((radius * 64).astype(int), 63)
    count = np.maximum(np.bincount(ring.ravel(), minlength=64), 1)
    profile = np.bincount(ring.ravel(), power.ravel(), minlength=64) / count
    useful = np.arange(2, 62)
    yield float(np.polyfit(np.log(useful), np.log(profile[useful] + 1e-12), 1)[0])
    for low, high in ((2, 16), (16, 32), (32, 64)):
        yield log(profile[low:high].mean())
    yield edge_width(x, gradient, across)
    energy = float(np.sqrt((x * x).sum())) + 1e-9
    part = x / energy
    worst = x.size / np.sqrt(x.size) * np.log(np.sqrt(x.size))
    yield float(-(part * np.log(part + 1e-12)).sum() / worst)
    if not more:
        return

    yield from aggd(first[1:] * first[:-1])
    yield from aggd(first[1:, 1:] * first[:-1, :-1])
    yield from aggd(first[1:, :-1] * first[:-1, 1:])
    yield from aggd(second[:, 1:] * second[:, :-1])
    yield from aggd(second[1:] * second[:-1])
    yield from aggd(second[1:, 1:] * second[:-1, :-1])
    yield from aggd(second[1:, :-1] * second[:-1, 1:])

    # foreground: smoothed grey well above the darkest decile, so that air around the body does not count as flat tissue
    smooth = ndimage.uniform_filter(x, 9)
    inside = smooth > p10 + 0.1 * (p99 - p10)
    if inside.mean() < 0.02:
        inside = np.ones_like(inside)
    wide = deviations[15]
    limit_flat, limit_edge = np.percentile(wide[inside][::4], (30, 80))
    flat, edge = inside & (wide <= limit_flat), inside & (wide >= limit_edge)
    previous = x
    flat_noise = 0.0
    for index, sigma in enumerate((1.0, 2.0, 4.0)):
        blurred = ndimage.gaussian_filter(x, sigma, truncate=3.0)
        band = previous - blurred
        previous = blurred
        for region in (flat, inside, edge):
            yield log(float(np.mean(band[region] ** 2)))
        if index == 0:
            flat_noise = float(band[flat].std())
            residual = np.where(flat, band, 0.0)
    power_flat = float((residual * residual).sum()) + 1e-12
    for axis in (1, 0):
        for lag in (1, 2, 3):
            ahead, behind = (slice(lag, None), slice(None, -lag))
            pair = (residual[:, ahead], residual[:, behind]) if axis else (residual[ahead], residual[behind])
            yield float((pair[0] * pair[1]).sum()) / power_flat
    for h, v, _ in bands:
        yield log(np.mean(h * h)) - log(np.mean(v * v))
    for steps in (np.abs(np.diff(x, axis=1)).mean(axis=0), np.abs(np.diff(x, axis=0)).mean(axis=1)):
        at = (np.arange(len(steps)) + 1) % 8 == 0
        yield float(steps[at].mean() / (steps[~at].mean() + 1e-6))
    air = ~inside
    yield float(x[air].std()) if air.any() else 0.0
    yield (log(float(np.mean(x[inside] ** 2))) - log(float(np.mean(x[air] ** 2)))) if air.any() else 0.0
    yield float(inside.mean())
    a, b, c = (ndimage.uniform_filter(t, 7) for t in (across * across, down * down, across * down))
    yield float(np.median((np.hypot(a - b, 2 * c) / (a + b + 1e-9))[inside]))
    beyond = radius > 0.1
    upright = np.abs(np.cos(angle)) > 0.5**0.5
    yield log(power[beyond & upright].mean()) - log(power[beyond & ~upright].mean())
    for band_index in range(8):
        yield log(profile[band_index * 8 + (band_index == 0) : band_index * 8 + 8].mean())
    local = deviations[7][inside]
    yield float(np.percentile(local[::4], 10))
    contrast = float(np.percentile(x[inside][::4], 90) - np.percentile(x[inside][::4], 10))
    yield contrast
    yield flat_noise / (contrast + 1e-3)
    yield float(gradient_p99 / (p99 - p01 + 1e-3))
