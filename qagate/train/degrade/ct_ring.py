"""Miscalibrated detector elements: rings around the centre of rotation.

An element that is off by the same amount in every view adds a stripe to the sinogram. Backprojected over a full turn
it depends on the radius alone, so it is computed in one dimension: ring(r) = mean over angles of q(|r cos angle|) with
q the ramp-filtered stripe profile. The centre of rotation may lie outside the crop.
Source: Sijbers and Postnov, Phys Med Biol 2004 (rings and their removal).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, per_volume, uniform

MILDEST_HU, WORST_HU = 25.0, 450.0
BAD_SHARE = 0.03
"""Share of elements that are far off; the others differ by a tenth of that."""


@lru_cache(maxsize=4)
def turned(bins: int) -> Tensor:
    """Return the (bins, bins) matrix from a stripe profile to its ring profile, the ramp filter included."""
    angles = (torch.arange(360) + 0.5) * (math.pi / 720)
    at = torch.arange(bins)[:, None] * torch.cos(angles)  # (radius, angle) → detector position
    below = at.floor().long()
    share = at - below
    back = torch.zeros(bins, bins)
    back.scatter_add_(1, below, 1 - share)
    back.scatter_add_(1, (below + 1).clamp_max(bins - 1), share)
    n = torch.arange(bins)[:, None] - torch.arange(bins)
    mirrored = torch.arange(bins)[:, None] + torch.arange(bins)

    def kernel(distance: Tensor) -> Tensor:
        value = torch.where(distance % 2 != 0, -1 / (math.pi * distance.clamp_min(1)) ** 2, torch.zeros(()))
        return torch.where(distance == 0, torch.full((), 0.25), value)

    ramp = kernel(n.abs()) + kernel(mirrored)
    return back @ ramp / len(angles)


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Add rings. Strength: ring_hu, the 99.5th percentile of what is added."""
    batch, slices, rows, columns = volume.shape
    bins = math.ceil(1.5 * math.hypot(rows, columns)) + 2
    off = normal(context, volume, batch, 1, bins)
    rare = uniform(context, volume, batch, 1, bins) < BAD_SHARE
    each = normal(context, volume, batch, slices, bins)
    profile = torch.where(rare, 1.0, 0.1) * (0.85 * off + 0.5 * each)  # rows of detectors differ a little
    rings = profile @ turned(bins).to(volume).T  # (batch, slices, radius)
    centre = uniform(context, volume, batch, 2, low=-0.6, high=0.6)
    y = torch.arange(rows, device=volume.device) - (rows - 1) / 2 - centre[:, :1] * rows
    x = torch.arange(columns, device=volume.device) - (columns - 1) / 2 - centre[:, 1:] * columns
    radius = torch.hypot(y[:, :, None], x[:, None, :]).clamp_max(bins - 1.001).reshape(batch, 1, -1)
    below = radius.floor().long().expand(-1, slices, -1)
    share = radius - radius.floor()
    residual = torch.lerp(rings.gather(2, below), rings.gather(2, below + 1), share).reshape(volume.shape)
    strength = log_spaced(severity, MILDEST_HU, WORST_HU)
    scale = torch.quantile(residual.abs().flatten(1)[:, ::7], 0.995, dim=1).clamp_min(1e-9)
    changed = volume + residual * per_volume(strength / scale)
    return finish(volume, changed, severity, context, ring_hu=strength)


ARTEFACT = Artefact("ct_ring", "ring", ("CT",), True, apply)
