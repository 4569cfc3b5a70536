"""Image quality metrics in the style of MRIQC, on Otsu masks instead of segmentations, with extra-trees.

Formulas: SNR, Dietrich SNR (JMRI 2007), CNR (Magnotta 2006), CJV (Ganzetti 2016), EFC (Atkinson 1997), FBER, FWHM
(Friedman 2006, one-dimensional), QI1 (Mortamet 2009, without morphology).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qagate.score import handcrafted

if TYPE_CHECKING:
    from qagate.train.sampling import Sample

Array = npt.NDArray[np.float64]
NAMES = ("ct", "snr", "dietrich_snr", "cnr", "cjv", "efc", "fber", "fwhm_rows", "fwhm_columns", "qi1", "foreground")


def describe(sample: Sample) -> Array:
    """Return the metrics of a sample, (11,)."""
    x = handcrafted.scaled(sample.volume.voxels, sample.modality).astype(np.float64)
    return np.array([sample.modality == "CT", *metrics(x)], np.float64)


def metrics(x: npt.NDArray[Any]) -> list[float]:
    """Return NAMES without the first of grey values (slices, rows, columns)."""
    level = otsu(x)
    inside, outside = x[x > level], x[x <= level]
    if inside.size < 16 or outside.size < 16:
        return [0.0] * (len(NAMES) - 1)
    second = otsu(inside)
    bright, dim = inside[inside > second], inside[inside <= second]
    noise = float(outside.std()) + 1e-6
    contrast = float(bright.mean() - dim.mean()) if bright.size and dim.size else 0.0
    part = np.abs(x) / (np.sqrt((x * x).sum()) + 1e-9)
    worst = np.sqrt(x.size) * np.log(np.sqrt(x.size))
    air = outside[outside > 1e-6]
    return [
        float(inside.mean()) / (float(inside.std()) + 1e-6),
        0.655 * float(inside.mean()) / noise,
        contrast / np.sqrt(noise**2 + float(inside.var())),
        (float(bright.std()) + float(dim.std())) / (contrast + 1e-6) if bright.size and dim.size else 0.0,
        float(-(part * np.log(part + 1e-12)).sum() / worst),
        float(np.log10((np.mean(inside**2) + 1e-9) / (np.mean(outside**2) + 1e-9))),
        *(fwhm(x, axis) for axis in (1, 2)),
        float((air > np.median(air) + 3 * 1.4826 * np.median(np.abs(air - np.median(air)))).mean())
        if air.size
        else 0.0,
        inside.size / x.size,
    ]


def otsu(x: npt.NDArray[Any]) -> float:
    """Return the threshold that parts grey values best in two (Otsu 1979)."""
    counts, edges = np.histogram(x, 128)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts).astype(np.float64)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    between = below * above * (sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)) ** 2
    return float(middles[int(between.argmax())])


def fwhm(x: npt.NDArray[Any], axis: int) -> float:
    """Return the full width at half maximum, in pixels, of the smoothness along an axis."""
    ratio = float(np.var(np.diff(x, axis=axis))) / (2 * float(np.var(x)) + 1e-12)
    correlation = float(np.clip(1 - ratio, 1e-3, 1 - 1e-6))
    return float(np.sqrt(-2 * np.log(2) / np.log(correlation)))


def fit(table: Mapping[str, Array], target: Array) -> Callable[[Mapping[str, Array]], Array]:
    """Return extra-trees on the metrics."""
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(400, random_state=0).fit(table["iqm"], target)
    return lambda rows: np.asarray(model.predict(rows["iqm"]), np.float64)
