"""Metadata alone: what the prompt and the geometry give away without a look at the pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qagate.domain.prompt import ORGANS, PLANES, REGIONS, SEQUENCES

if TYPE_CHECKING:
    from qagate.train.sampling import Sample

Array = npt.NDArray[np.float64]


def describe(sample: Sample) -> Array:
    """Return modality, region, organ, sequence, plane, contrast, thickness, spacing and size as numbers."""
    prompt, geometry = sample.prompt, sample.volume.geometry
    words = [prompt.organ in (name,) for name in ORGANS] + [name in prompt.regions for name in REGIONS]
    words += [prompt.sequence == name for name in SEQUENCES] + [prompt.plane == name for name in PLANES]
    values = (prompt.acquisition.slice_thickness_mm or 0.0, *geometry.spacing_mm, *geometry.shape)
    contrast = {None: 0.0, True: 1.0, False: -1.0}[prompt.contrast]
    return np.array([prompt.modality == "CT", contrast, *words, *values], np.float64)


def fit(table: Mapping[str, Array], target: Array) -> Callable[[Mapping[str, Array]], Array]:
    """Return gradient-boosted trees."""
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(n_estimators=100, max_depth=3, random_state=0).fit(table["metadata"], target)
    return lambda rows: np.asarray(model.predict(rows["metadata"]), np.float64)
