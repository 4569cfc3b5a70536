"""Oversmoothing by an edge-keeping filter: texture melts while strong borders stay.

Source: Tomasi and Manduchi, ICCV 1998.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, per_volume

RANGES = {"CT": (20.0, 600.0), "MR": (0.03, 0.8)}
"""Modality → tolerance of the filter at the mildest and the worst, HU or share of the brightest tissue."""
REACH = 3
SPATIAL_SD_PIXELS = 2.2
PASSES = 2


def _filtered(volume: Tensor, tolerance: Tensor) -> Tensor:
    rows, columns = volume.shape[-2:]
    padded = F.pad(volume, (REACH,) * 4, mode="replicate")
    total, weights = volume.clone(), torch.ones_like(volume)
    falloff = -0.5 / tolerance**2
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            if dy or dx:
                near = padded[..., REACH + dy : REACH + dy + rows, REACH + dx : REACH + dx + columns]
                place = -(dy * dy + dx * dx) / (2 * SPATIAL_SD_PIXELS**2)
                weight = torch.exp((near - volume).square_().mul_(falloff).add_(place))
                total.addcmul_(weight, near)
                weights += weight
    return total / weights


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Smooth. Strength: tolerance of the filter (HU, or 1 for the brightest MR tissue)."""
    tolerance = log_spaced(severity, *RANGES[context.modality])
    changed = volume
    for _ in range(PASSES):
        changed = _filtered(changed, per_volume(tolerance))
    return finish(volume, changed, severity, context, tolerance=tolerance)


ARTEFACT = Artefact("smooth_bilateral", "oversmoothing", ("CT", "MR"), True, apply)
