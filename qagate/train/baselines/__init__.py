"""Baselines: what a model has to beat. All learn from the same samples; scikit-learn is imported only to fit one.

A baseline is a function fit(table, target) → predict(table) on the table of `describe`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.train.baselines import handmade, iqm, mean, metadata

Table = Mapping[str, npt.NDArray[np.float64]]
"""Kind of feature → (items, features). Kinds: handmade, iqm, metadata."""
Predict = Callable[[Table], npt.NDArray[np.float64]]
Fit = Callable[[Table, npt.NDArray[np.float64]], Predict]

BASELINES: dict[str, Fit] = {
    "mean": mean.fit,
    "metadata only": metadata.fit,
    "MRIQC-style IQMs": iqm.fit,
    "BRISQUE + SVR": handmade.fit_brisque,
    "NIQE-style distance": handmade.fit_niqe,
    "47 features + ridge": handmade.fit_ridge,
    "47 features + ExtraTrees": handmade.fit_trees,
}
"""Name → how to fit it, the weakest first."""

NOT_RUN = {
    "CLIP-IQA, MUSIQ, TOPIQ": "fetch their weights at run time",
}
"""Name → why it is not in the table."""


def describe(items: list[Any]) -> Table:
    """Return the features of samples, kind by kind."""
    return {
        "handmade": np.array([handmade.describe(item) for item in items]),
        "iqm": np.array([iqm.describe(item) for item in items]),
        "metadata": np.array([metadata.describe(item) for item in items]),
    }
