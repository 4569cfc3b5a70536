"""Thermal noise of a magnitude image: Rician, in part of the volumes stronger in the middle (parallel imaging).

Source: Gudbjartsson and Patz, Magn Reson Med 1995 (Rician noise); Pruessmann et al., MRM 1999 (geometry factor).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, per_volume, uniform
from qagate.train.degrade.fourier import blurred

MILDEST, WORST = 0.012, 0.22


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Add noise. Strength: noise_sd, standard deviation of each channel (1 is the brightest tissue)."""
    batch, _, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST, WORST)
    middle = uniform(context, volume, batch, 2, low=-0.5, high=0.5)
    y = torch.linspace(-1, 1, rows, device=volume.device) - middle[:, :1]
    x = torch.linspace(-1, 1, columns, device=volume.device) - middle[:, 1:]
    bump = torch.exp(-(y[:, None, :, None] ** 2 + x[:, None, None, :] ** 2) / 0.5)
    height = uniform(context, volume, batch, low=-1.0, high=1.0).clamp_min(0)
    sd = per_volume(strength) * (1 + per_volume(height) * bump) / (1 + per_volume(height) / 2)
    grain = uniform(context, volume, batch, low=-0.6, high=0.6).clamp_min(0)  # pixels; interpolated images have grain
    channels = []
    for _ in range(2):
        draws = blurred(normal(context, volume, *volume.shape), grain, grain)
        channels.append(sd * draws / draws.std(dim=(1, 2, 3), keepdim=True))
    changed = torch.hypot(volume + channels[0], channels[1])
    return finish(volume, changed, severity, context, noise_sd=strength)


ARTEFACT = Artefact("mr_noise", "noise", ("MR",), True, apply)
