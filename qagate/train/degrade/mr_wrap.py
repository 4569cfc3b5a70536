"""Wrap-around: what lies beyond the field of view appears on its other side.

The far part of the slice stands for the body beyond the near side and is laid over it along the phase-encoding axis.
Source: Pusey et al., RadioGraphics 1988 (aliasing).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, per_volume, uniform
from qagate.train.degrade.fourier import phase_axis, spread

MILDEST, WORST = 0.015, 0.6


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Fold. Strength: wrapped_share of the field of view that is covered."""
    batch, _, rows, columns = volume.shape
    share = log_spaced(severity, MILDEST, WORST)
    axis = phase_axis(context, volume)
    far_side = uniform(context, volume, batch) < 0.5
    # a mild fold lies where the coil hardly sees
    brightness = uniform(context, volume, batch, low=0.8, high=1.0) * (0.3 + 0.7 * severity.to(volume))

    def cover(size: int) -> Tensor:
        """Return (batch, size): 1 where the fold lies, with a soft edge of two pixels."""
        place = torch.arange(size, device=volume.device).expand(batch, size)
        place = torch.where(far_side[:, None], size - 1 - place, place)
        return ((share[:, None] * size - place) / 2 + 0.5).clamp(0, 1)

    def beyond(dim: int) -> Tensor:
        """Return what lies outside: the slice shifted by the size of the field less the covered share."""
        size = volume.shape[dim]
        place = torch.arange(size, device=volume.device).expand(batch, size)
        shift = ((1 - share) * size).round().long()[:, None]
        at = torch.where(far_side[:, None], place - shift, place + shift) % size
        shape = (batch, 1, size, 1) if dim == 2 else (batch, 1, 1, size)
        return volume.gather(dim, at.reshape(shape).expand_as(volume))

    folded = torch.where(axis[:, None, None, None] == 0, beyond(2), beyond(3))
    changed = volume + per_volume(brightness) * spread(axis, cover(rows), cover(columns)) * folded
    return finish(volume, changed, severity, context, wrapped_share=share, phase_axis=axis)


ARTEFACT = Artefact("mr_wrap", "wrap", ("MR",), True, apply)
