"""Field: brightness changes from place to place, slowly, in bands or with a border, added or multiplied."""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, uniform
from qagate.train.degrade.nameless.draws import SOFT, above_air, below, smooth

MILDEST, WORST = 0.04, 0.8


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Lay a field over the picture. Strength: field_sd, SD of its logarithm, or in halves of a reader's window."""
    batch, slices = volume.shape[:2]
    strength = log_spaced(severity, MILDEST, WORST)[:, None, None, None]
    one = smooth(context, volume, 2.0, 14.0)
    varied = smooth(context, volume, 2.0, 8.0, slices)
    field = one + 0.5 * varied * (uniform(context, volume, batch, 1, 1, 1) < 0.3)
    steep = uniform(context, volume, batch, 1, 1, 1, low=0.5, high=12.0)
    bordered = uniform(context, volume, batch, 1, 1, 1) < 0.3
    field = torch.where(bordered, torch.tanh(steep * field), field)
    added = uniform(context, volume, batch, 1, 1, 1) < (0.7 if context.modality == "CT" else 0.3)
    shown = above_air(volume, context)
    inside = shown.clamp(0.0, 1.0)
    more = volume + SOFT[context.modality] * strength * field * inside
    scale = 0.4 if context.modality == "CT" else 1.0
    times = below(shown * torch.exp((scale * strength * field).clamp(-4, 1.5)), context)
    changed = torch.where(added, more, times)
    return finish(volume, changed, severity, context, field_sd=strength[:, 0, 0, 0])


ARTEFACT = Artefact("field", "", ("CT", "MR"), True, apply)
