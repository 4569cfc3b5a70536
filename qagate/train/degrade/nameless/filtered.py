"""Filtered: every slice goes through a linear filter drawn by chance.

The transfer function is a random curve over the spatial frequency, in half of the volumes another along another
direction; the mean grey stays. Blur, ringing, too much sharpness and notches are among what comes of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, uniform
from qagate.train.degrade.nameless.draws import region

MILDEST, WORST = 0.3, 3.5
KNOTS = 9
PASSED = 0.015
"""Cycles per pixel below which nothing changes."""
WHOLE = 0.7


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Filter. Strength: filter_log_gain, the largest change of the logarithm of the transfer function."""
    batch, _, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST, WORST)
    curves = normal(context, volume, batch, 2, KNOTS).cumsum(-1)  # neighbouring frequencies suffer alike
    tilt = uniform(context, volume, batch, 2, 1, low=-3.0, high=1.5) * torch.linspace(0, 1, KNOTS, device=volume.device)
    curves = curves * uniform(context, volume, batch, 1, 1) + 2.0 * tilt
    curves = curves - curves[..., :1]
    direction = uniform(context, volume, batch, high=math.pi)
    oblong = uniform(context, volume, batch) < 0.5
    where = region(context, volume, WHOLE)
    pad_rows, pad_columns = min(16, rows - 1), min(16, columns - 1)
    padded = F.pad(volume, (pad_columns, pad_columns, pad_rows, pad_rows), mode="reflect")
    v = torch.fft.fftfreq(padded.shape[-2]).to(volume)[:, None]
    u = torch.fft.rfftfreq(padded.shape[-1]).to(volume)
    radius = torch.hypot(u, v)
    angle = torch.atan2(v, u)
    along = torch.cos(angle[None] - direction[:, None, None]).square()
    along = torch.where(oblong[:, None, None], along, torch.ones_like(along))  # (batch, v, u)
    place = (radius / 0.5).clamp(0, 1) * (KNOTS - 1)
    left = place.floor().clamp_max(KNOTS - 2).long()
    share = place - left
    one, other = (c[:, left] * (1 - share) + c[:, left + 1] * share for c in curves.unbind(1))
    curve = along * one + (1 - along) * other
    curve = curve / curve.abs().amax((-2, -1), keepdim=True).clamp_min(1e-6)
    gain = torch.exp((strength[:, None, None] * curve).clamp(-6, 1.3))
    gain = torch.where(radius < PASSED, torch.ones_like(gain), gain)[:, None]
    changed = torch.fft.irfft2(torch.fft.rfft2(padded) * gain, s=padded.shape[-2:])
    changed = changed[..., pad_rows : pad_rows + rows, pad_columns : pad_columns + columns]
    return finish(volume, volume + where * (changed - volume), severity, context, filter_log_gain=strength)


ARTEFACT = Artefact("filtered", "", ("CT", "MR"), True, apply)
