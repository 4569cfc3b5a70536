"""Degradations: the ways in which images of the two modalities go wrong, one file each.

`REGISTRY` maps their names to them. See `artefact` for what they all promise.
"""

from __future__ import annotations

from qagate.train.degrade import (
    blur,
    clipping,
    ct_beam_hardening,
    ct_limited_angle,
    ct_metal,
    ct_motion,
    ct_noise,
    ct_ring,
    ct_sparse_views,
    ct_truncation,
    jpeg,
    mr_bias_field,
    mr_ghosting,
    mr_gibbs,
    mr_interleave_gain,
    mr_motion,
    mr_noise,
    mr_spike,
    mr_undersampling,
    mr_wrap,
    quantisation,
    slab_average,
    slice_blank,
    slice_drop,
    slice_duplicate,
    slice_motion,
    slice_swap,
    smooth_bilateral,
    smooth_median,
    smooth_tv,
)  # fmt: skip
from qagate.train.degrade.artefact import Artefact, Context, Degraded
from qagate.train.degrade.nameless import NAMELESS

__all__ = ["FAULTS", "NAMELESS", "REGISTRY", "Artefact", "Context", "Degraded"]

_MODULES = (
    ct_noise, ct_sparse_views, ct_limited_angle, ct_ring, ct_beam_hardening, ct_metal, ct_motion, ct_truncation,
    mr_noise, mr_motion, mr_ghosting, mr_spike, mr_bias_field, mr_gibbs, mr_undersampling, mr_wrap,
    mr_interleave_gain, blur, slab_average, slice_drop, slice_duplicate, slice_swap, slice_blank, slice_motion,
    clipping, quantisation, jpeg, smooth_tv, smooth_bilateral, smooth_median,
)  # fmt: skip

REGISTRY: dict[str, Artefact] = {module.ARTEFACT.name: module.ARTEFACT for module in _MODULES}
"""Name → artefact."""

FAULTS: dict[str, Artefact] = {**REGISTRY, **NAMELESS}
"""Name → what can happen to a picture: artefacts, and faults without a name that a person would want to read."""
