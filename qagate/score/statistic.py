"""Statistic: one number or a few of a grey picture, or another picture, as `handcrafted` puts them together. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage, special

Picture = npt.NDArray[np.floating[Any]]


def shape(x: Picture) -> tuple[float, float]:
    """Return skewness and excess kurtosis, the latter on a log scale (signed)."""
    centred = x - x.mean()
    square = centred * centred
    variance = float(square.mean()) + 1e-12
    kurtosis = float((square * square).mean()) / variance**2 - 3.0
    return float((square * centred).mean()) / variance**1.5, float(np.sign(kurtosis) * np.log1p(abs(kurtosis)))


def log(energy: Any) -> float:
    return float(np.log10(float(energy) + 1e-9))


def mad(x: Picture) -> float:
    sample = x[::2, ::2] if x.size > 65536 else x
    return float(np.median(np.abs(sample - np.median(sample))) / 0.6745)


def local_sd(x: Picture, size: int) -> Picture:
    mean = ndimage.uniform_filter(x, size)
    deviation: Picture = np.sqrt(np.maximum(ndimage.uniform_filter(x * x, size) - mean * mean, 0.0))
    return deviation


def diagonal_laplacian(x: Picture) -> Picture:
    corners: Picture = x[:-2, :-2] + x[:-2, 2:] + x[2:, :-2] + x[2:, 2:] - 4 * x[1:-1, 1:-1]
    return corners


def haar(x: Picture, levels: int) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield (across, down, diagonal) orthonormal Haar bands, the finest first."""
    for _ in range(levels):
        x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
        a, b, c, d = x[::2, ::2], x[::2, 1::2], x[1::2, ::2], x[1::2, 1::2]
        yield (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2
        x = (a + b + c + d) / 2


def mscn(x: Picture) -> Picture:
    """Return mean-subtracted, contrast-normalised grey values (Gaussian window, sigma 7/6; C = 1/255)."""
    mean = ndimage.gaussian_filter(x, 7 / 6, truncate=2.6)
    variance = ndimage.gaussian_filter(x * x, 7 / 6, truncate=2.6) - mean * mean
    normalised: Picture = (x - mean) / (np.sqrt(np.maximum(variance, 0.0)) + np.float32(1 / 255))
    return normalised


_ALPHAS = np.linspace(0.1, 10.0, 1000)
_RATIOS = special.gamma(2 / _ALPHAS) ** 2 / (special.gamma(1 / _ALPHAS) * special.gamma(3 / _ALPHAS))


def _alpha(ratio: float) -> float:
    """Return the shape of a generalised Gaussian whose (E|x|)² / E x² is `ratio` (rises with the shape)."""
    return float(np.interp(ratio, _RATIOS, _ALPHAS))


def ggd(x: Picture) -> tuple[float, float]:
    power = float(np.mean(x * x)) + 1e-9
    return _alpha(float(np.mean(np.abs(x))) ** 2 / power), power**0.5


def aggd(x: Picture) -> tuple[float, float, float, float]:
    """Return shape, mean, left and right SD of an asymmetric generalised Gaussian."""
    below, above = x[x < 0], x[x > 0]
    left = float(np.sqrt(np.mean(below * below))) if below.size else 1e-6
    right = float(np.sqrt(np.mean(above * above))) if above.size else 1e-6
    skew = left / max(right, 1e-6)
    ratio = float(np.mean(np.abs(x))) ** 2 / (float(np.mean(x * x)) + 1e-12)
    alpha = _alpha(ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2)
    spread = float(np.sqrt(special.gamma(1 / alpha) / special.gamma(3 / alpha)))
    mean = (right - left) * spread * float(special.gamma(2 / alpha) / special.gamma(1 / alpha))
    return alpha, mean, left, right


def spectrum(x: Picture) -> tuple[Picture, Picture, Picture]:
    """Return power per pixel, radius (1 = Nyquist) and angle of the half plane of frequencies, Hann-windowed."""
    rows, columns = x.shape
    window = np.outer(np.hanning(rows), np.hanning(columns)).astype(np.float32)
    transform = fft.rfft2((x - x.mean()) * window)
    power = (transform.real**2 + transform.imag**2) / x.size
    down, across = np.meshgrid(fft.fftfreq(rows) * 2, fft.rfftfreq(columns) * 2, indexing="ij")
    return power, np.hypot(down, across), np.arctan2(down, across)


def edge_width(x: Picture, gradient: Picture, across: Picture) -> float:
    """Return the median width in pixels of edges crossed along rows: rise between extremes over steepest slope."""
    strong = (gradient > np.percentile(gradient[::2, ::2], 95)) & (np.abs(across) > 0.7 * gradient)
    strong[:, :8] = strong[:, -8:] = False
    rows, columns = np.nonzero(strong)
    if len(rows) == 0:
        return 0.0
    keep = np.linspace(0, len(rows) - 1, min(len(rows), 1500)).astype(int)
    rows, columns = rows[keep], columns[keep]
    profile = x[rows[:, None], columns[:, None] + np.arange(-6, 7)]  # (edges, 13)
    rise = profile.max(axis=1) - profile.min(axis=1)
    return float(np.median(rise / (np.abs(across[rows, columns]) + 1e-6)))
