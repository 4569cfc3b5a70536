"""Truncated projections: the body reaches beyond the field of measurement; its rim glows and beyond it nothing is true.

The field's edge crosses the crop. Inside, the error grows towards the edge as the transform of a truncated profile
does, about 1/sqrt(distance); beyond the edge scanners extrapolate, here as a smear that fades into air.
Source: Ohnesorge et al., Med Phys 2000 (truncation and its extrapolation).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, per_volume, uniform
from qagate.train.degrade.fourier import blurred

MILDEST_HU, WORST_HU = 8.0, 400.0
MILDEST_SHARE, WORST_SHARE = 0.01, 0.45


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Truncate. Strengths: rim_hu, the rise at the edge; lost_share, how far the edge has come into the crop."""
    batch, _, rows, columns = volume.shape
    rim = log_spaced(severity, MILDEST_HU, WORST_HU)
    lost = log_spaced(severity, MILDEST_SHARE, WORST_SHARE)
    size = max(rows, columns)
    radius = size * uniform(context, volume, batch, low=0.8, high=2.5)
    toward = uniform(context, volume, batch, high=2 * math.pi)
    # the field's centre lies opposite to the side that is lost
    reach = size * (0.62 - lost)
    y = torch.arange(rows, device=volume.device) - (rows - 1) / 2 - ((reach - radius) * torch.sin(toward))[:, None]
    x = (
        torch.arange(columns, device=volume.device)
        - (columns - 1) / 2
        - ((reach - radius) * torch.cos(toward))[:, None]
    )
    inside = radius[:, None, None] - torch.hypot(y[:, :, None], x[:, None, :])  # pixels from the edge, > 0 in the field
    inside = inside[:, None]  # (batch, 1, rows, columns)
    body = blurred(((volume + 500) / 500).clamp(0, 1), *(torch.full((batch,), 4.0, device=volume.device),) * 2)
    glow = per_volume(rim) * body * (1 + inside.clamp_min(0) / 2).rsqrt()
    smear = blurred(volume, *(torch.full((batch,), 6.0, device=volume.device),) * 2)
    beyond = -1000 + (smear + 1000) * torch.exp(inside.clamp_max(0) / (0.05 * size))
    changed = torch.where(inside > 0, volume + glow, beyond + glow * torch.exp(inside.clamp_max(0) / (0.03 * size)))
    return finish(volume, changed, severity, context, rim_hu=rim, lost_share=lost)


ARTEFACT = Artefact("ct_truncation", "truncation", ("CT",), True, apply)
