"""Interleaved slices of unequal brightness: cross-talk and incomplete recovery make every other slice darker.

Source: Kucharczyk et al., AJNR 1988 (cross-talk between slices).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced, normal

MILDEST, WORST = 0.05, 0.75


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Darken every other slice. Strength: gain_loss of those slices."""
    batch, slices = volume.shape[:2]
    loss = log_spaced(severity, MILDEST, WORST)
    odd = (torch.arange(slices, device=volume.device) + integers(context, volume, 0, 2, batch, 1)) % 2
    uneven = (1 + 0.2 * normal(context, volume, batch, slices)).clamp(0.5, 1.3)
    gain = 1 - (loss[:, None] * odd * uneven).clamp_max(0.97)
    return finish(volume, volume * gain[..., None, None], severity, context, gain_loss=loss)


ARTEFACT = Artefact("mr_interleave_gain", "bias_field", ("MR",), True, apply)
