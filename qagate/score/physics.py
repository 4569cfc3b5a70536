"""Physics: what can be measured on a volume without a model, each figure with its unit and direction.

Every measurement is a function of arrays and lives in `physics_ct`, `physics_mr` or `physics_extent`. One that cannot
be made on a volume (no air around, nothing but one value, too few pixels) is left out; none ever raises for odd voxels.
Of a CT picture whose numbers are grey of a window nothing can be said in HU, so nothing is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qagate.domain.assessment import Measurement
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.score import physics_ct, physics_extent, physics_mr
from qagate.score.preprocess import standard_of

SLICES = 6
"""Slices that are looked at closely; more would cost time and change little."""

LARGEST = 1e9
"""Beyond it squares in single precision lose their meaning; no scanner stores such values."""

HOUNSFIELD = "[hnsf'U]"


def measure(volume: Volume, prompt: Prompt) -> tuple[Measurement, ...]:
    """Return the measurements that make sense for the volume's modality; empty when there is nothing to measure."""
    slices = _readable(volume)
    if slices is None:
        return ()
    _, row_mm, column_mm = volume.geometry.spacing_mm
    # 1 x 1 mm without a geometry stands in for a size that nobody knows: nothing can be said for each mm
    known = volume.geometry.known or (row_mm, column_mm) != (1.0, 1.0)
    zero = np.float32(0.0)
    if prompt.modality == "CT":
        how = standard_of(slices, "CT")
        if how.windowed:
            return ()
        zero = np.float32(how.low)  # what stored values have at 0 HU
    chosen = slices[_spread(len(slices), SLICES)].astype(np.float32) - zero
    found: list[tuple[str, float | None, str, str]] = []
    if prompt.modality == "CT":
        body = physics_ct.body(chosen)
        near = physics_ct.local(chosen)
        air = physics_ct.air_level(chosen, body)
        found += [
            ("noise_hu", physics_ct.noise_soft_tissue(near), HOUNSFIELD, "lower"),
            ("noise_air_hu", physics_ct.noise_air(chosen, near), HOUNSFIELD, "lower"),
            ("mtf50_per_mm", physics_ct.mtf50(chosen, body, (row_mm, column_mm)) if known else None, "/mm", "higher"),
            ("air_offset_hu", None if air is None else air + 1000.0, HOUNSFIELD, "neither"),
            ("soft_tissue_peak_hu", physics_ct.soft_tissue_peak(near), HOUNSFIELD, "neither"),
            ("streak_index", physics_ct.streak_index(chosen, near), "1", "lower"),
        ]
        extent = physics_ct.body(slices[:, ::4, ::4].astype(np.float32) - zero)
    elif prompt.modality == "MR":
        body = physics_mr.body(chosen)
        away = physics_mr.air(chosen, body)
        found += [
            ("snr", physics_mr.snr_air(chosen, body, away), "1", "higher"),
            ("snr_tissue", physics_mr.snr_tissue(chosen, body), "1", "higher"),
            ("cnr", physics_mr.cnr(chosen, body), "1", "higher"),
            ("ghosting_ratio", physics_mr.ghosting_ratio(chosen, body, away), "1", "lower"),
            ("efc", physics_mr.efc(chosen), "1", "lower"),
            ("fber", physics_mr.fber(chosen, body, away), "1", "higher"),
        ]
        extent = physics_mr.body(slices[:, ::4, ::4].astype(np.float32))
    else:
        return ()
    found += [
        ("slices_with_body", physics_extent.slices_with_body(extent), "1", "neither"),
        ("body_at_first_slice", physics_extent.body_at_end(extent, first=True), "1", "neither"),
        ("body_at_last_slice", physics_extent.body_at_end(extent, first=False), "1", "neither"),
        ("field_of_view_clipping", physics_extent.field_of_view_clipping(extent), "1", "lower"),
    ]
    return tuple(
        Measurement(name, float(value), unit, better)
        for name, value, unit, better in found
        if value is not None and np.isfinite(value)
    )


def _readable(volume: Volume) -> npt.NDArray[np.generic] | None:
    """Return the slices that could be read, non-finite voxels at the lowest value; None when nothing is left."""
    voxels = volume.voxels
    if voxels.ndim != 3 or min(voxels.shape[1:], default=0) < 16:
        return None
    if volume.valid is not None and len(volume.valid) == len(voxels):
        voxels = voxels[volume.valid]
    if len(voxels) == 0:
        return None
    if np.issubdtype(voxels.dtype, np.floating):
        finite = np.isfinite(voxels)
        if not finite.any():
            return None
        if not finite.all():
            voxels = np.where(finite, voxels, voxels[finite].min())
        voxels = voxels.clip(-LARGEST, LARGEST)
    if voxels.min() == voxels.max():
        return None
    return voxels


def _spread(slices: int, wanted: int) -> npt.NDArray[np.intp]:
    """Return up to `wanted` 0-based indices evenly over the middle 90 % of a stack."""
    if slices <= wanted:
        return np.arange(slices)
    return np.unique(np.round(np.linspace(0.05 * (slices - 1), 0.95 * (slices - 1), wanted)).astype(np.intp))
