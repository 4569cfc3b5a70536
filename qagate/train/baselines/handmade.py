"""Hand-made features with classical regressors: the baseline to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qagate.score import handcrafted

if TYPE_CHECKING:
    from qagate.train.sampling import Sample

Array = npt.NDArray[np.float64]
ALL = handcrafted.NAMES + handcrafted.MORE_NAMES
BRISQUE = [index for index, name in enumerate(ALL) if name.startswith("mscn_")]
CLASSIC = list(range(len(handcrafted.NAMES)))
CLEAN = 0.85
"""Samples in the best part of the labels are what NIQE takes for natural."""


def describe(sample: Sample) -> Array:
    """Return all hand-made features, mean over slices."""
    return handcrafted.features(sample.volume.voxels, sample.modality, more=True).astype(np.float64)


def fit_trees(table: Mapping[str, Array], target: Array) -> Callable[[Mapping[str, Array]], Array]:
    """Return extra-trees on the 47 features, with scikit-learn's own settings but 400 trees."""
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(400, random_state=0).fit(table["handmade"][:, CLASSIC], target)
    return lambda rows: np.asarray(model.predict(rows["handmade"][:, CLASSIC]), np.float64)


def fit_ridge(table: Mapping[str, Array], target: Array) -> Callable[[Mapping[str, Array]], Array]:
    """Return ridge regression on the 47 features, its penalty by leave-one-out."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))).fit(table["handmade"][:, CLASSIC], target)
    return lambda rows: np.asarray(model.predict(rows["handmade"][:, CLASSIC]), np.float64)


def fit_brisque(table: Mapping[str, Array], target: Array) -> Callable[[Mapping[str, Array]], Array]:
    """Return support vector regression on the 36 BRISQUE features, fitted anew."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    spread = float(np.std(target)) or 1.0
    model = make_pipeline(StandardScaler(), SVR(C=spread * 2, epsilon=0.1 * spread)).fit(
        table["handmade"][:, BRISQUE], target
    )
    return lambda rows: np.asarray(model.predict(rows["handmade"][:, BRISQUE]), np.float64)


def fit_niqe(table: Mapping[str, Array], target: Array) -> Callable[[Mapping[str, Array]], Array]:
    """Return minus the Mahalanobis distance of the BRISQUE features to clean samples; labels only pick these.

    NIQE (Mittal et al. 2013) fits patches of clean pictures; here whole pictures stand for patches: in its style only.
    """
    clean = table["handmade"][target >= np.quantile(target, CLEAN)][:, BRISQUE]
    centre, scale = clean.mean(0), clean.std(0) + 1e-6
    z = (clean - centre) / scale
    precision = np.linalg.pinv(np.cov(z.T) + 0.1 * np.eye(z.shape[1]))

    def predict(rows: Mapping[str, Array]) -> Array:
        away = (rows["handmade"][:, BRISQUE] - centre) / scale
        return np.asarray(-np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", away, precision, away), 0.0)))

    return predict
