"""Ghosts: periodic modulation of the lines puts faint copies of the body along the phase-encoding axis.

Breathing, pulsation and unequal echoes modulate amplitude and phase of the lines with a period; n periods over the
lines shift copies by n pixels of the field of view. The centre of k-space is restored, so contrast stays.
Source: Wood and Henkelman, Med Phys 1985 (ghosts of periodic motion).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, uniform
from qagate.train.degrade.fourier import frequencies, image, k_space, phase_axis, spread, without_border

MILDEST, WORST = 0.06, 1.5
CENTRE = 0.006
"""Half-width of the restored centre in cycles per pixel."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Add ghosts. Strengths: ghost_share, depth of the modulation; ghost_period, lines per period."""
    batch, _, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST, WORST)
    axis = phase_axis(context, volume)
    period = uniform(context, volume, batch, low=math.log(2.0), high=math.log(10.0)).exp()
    period = torch.where(uniform(context, volume, batch) < 0.3, torch.full_like(period, 2.0), period)  # N/2 ghosts
    start = uniform(context, volume, batch, high=2 * math.pi)
    mixing = uniform(context, volume, batch, high=math.pi / 2)  # amplitude .. phase modulation

    def lines(size: int) -> Tensor:
        number = torch.arange(size, device=volume.device) - size // 2
        wave = torch.cos(2 * math.pi * number / period[:, None] + start[:, None] * (period[:, None] > 2))
        wave = wave * (frequencies(size, volume).abs() > CENTRE)
        return torch.polar(strength[:, None] * wave, mixing[:, None].expand(-1, size))

    still = without_border(volume)
    modulated = k_space(still) * (1 + spread(axis, lines(rows), lines(columns)))
    residual = image(modulated).abs() - still.abs()
    return finish(
        volume, volume + residual, severity, context, ghost_share=strength, ghost_period=period, phase_axis=axis
    )


ARTEFACT = Artefact("mr_ghosting", "ghosting", ("MR",), True, apply)
