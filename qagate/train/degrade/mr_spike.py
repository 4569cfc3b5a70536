"""Spikes in k-space: herringbone stripes over the whole slice.

A spike at one place of k-space is a plane wave in the image. Spikes hit single slices, so each slice has its own.
Source: Foo et al., J Comput Assist Tomogr 1994 (spike noise).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, per_volume, uniform

MILDEST, WORST = 0.015, 0.35
MOST = 3


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Add 1-3 spikes per slice. Strength: stripe_amplitude (1 is the brightest tissue)."""
    batch, slices, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST, WORST)
    radius = uniform(context, volume, batch, slices, MOST, low=0.04, high=0.45)
    angle = uniform(context, volume, batch, slices, MOST, high=math.pi)
    phase = uniform(context, volume, batch, slices, MOST, high=2 * math.pi)
    share = uniform(context, volume, batch, slices, MOST, low=-0.5, high=1.0).clamp_min(0)
    share[..., 0] = 1.0
    y = torch.arange(rows, device=volume.device)[:, None]
    x = torch.arange(columns, device=volume.device)
    stripes = torch.zeros_like(volume)
    for spike in range(MOST):
        fy = (radius * torch.sin(angle))[..., spike, None, None]
        fx = (radius * torch.cos(angle))[..., spike, None, None]
        wave = torch.cos(2 * math.pi * (fy * y + fx * x) + phase[..., spike, None, None])
        stripes = stripes + share[..., spike, None, None] * wave
    changed = (volume + per_volume(strength) * stripes).abs()
    return finish(volume, changed, severity, context, stripe_amplitude=strength)


ARTEFACT = Artefact("mr_spike", "spike", ("MR",), True, apply)
