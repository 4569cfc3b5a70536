"""Bias field: slow change of brightness over the body, from coils and dielectric effects.

Source: Van Leemput et al., IEEE TMI 1999 (exponential of a polynomial).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, per_volume

MILDEST, WORST = 0.05, 1.5
ORDER = 3


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Multiply by a field. Strength: log_field_sd, standard deviation of the logarithm of the field."""
    batch, slices, rows, columns = volume.shape
    z = torch.linspace(-0.3, 0.3, slices, device=volume.device) if slices > 1 else torch.zeros(1, device=volume.device)
    y = torch.linspace(-1, 1, rows, device=volume.device)
    x = torch.linspace(-1, 1, columns, device=volume.device)
    weights = normal(context, volume, batch, ORDER + 1, ORDER + 1, ORDER + 1)
    field = torch.zeros_like(volume)
    for i in range(ORDER + 1):
        for j in range(ORDER + 1 - i):
            for k in range(ORDER + 1 - i - j):
                if i + j + k:
                    term = z[:, None, None] ** i * y[:, None] ** j * x**k
                    field = field + per_volume(weights[:, i, j, k]) * term
    field = field - field.mean(dim=(1, 2, 3), keepdim=True)
    field = field / field.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    strength = log_spaced(severity, MILDEST, WORST)
    return finish(
        volume, volume * torch.exp((per_volume(strength) * field).clamp(-4, 1.5)), severity, context,
        log_field_sd=strength,
    )  # fmt: skip


ARTEFACT = Artefact("mr_bias_field", "bias_field", ("MR",), True, apply)
