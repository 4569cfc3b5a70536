"""Pattern: something is added whose spectrum was drawn by chance: grain of any size, waves, rays, circles, stripes.

In half of the volumes it is stronger in some places, or where the picture is bright or dark.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced, normal, uniform
from qagate.train.degrade.nameless.draws import SOFT, above_air, region

MILDEST, WORST = 0.03, 1.1
TURNS = 512
"""Draws along a radius or around a centre."""
WHOLE = 0.5


def _grain(context: Context, volume: Tensor) -> Tensor:
    """Return noise of random power over the frequency, by chance with a direction: (batch, slices, rows, columns)."""
    batch, slices, rows, columns = volume.shape
    slope = uniform(context, volume, batch, 1, 1, low=-1.0, high=1.2)
    middle = uniform(context, volume, batch, 1, 1, low=0.02, high=0.5)
    width = uniform(context, volume, batch, 1, 1, low=math.log(0.15), high=math.log(2.5)).exp()
    direction = uniform(context, volume, batch, 1, 1, high=math.pi)
    narrow = uniform(context, volume, batch, 1, 1, low=-6.0, high=6.0).clamp_min(0.0)
    v = torch.fft.fftfreq(rows).to(volume)[:, None]
    u = torch.fft.rfftfreq(columns).to(volume)
    radius = torch.hypot(u, v).clamp_min(0.5 / max(rows, columns))
    octaves = torch.log2(radius / middle)
    gain = torch.exp(-0.5 * (octaves / (2 * width)).square()) * radius**slope
    gain = gain * torch.exp(narrow * (torch.cos(torch.atan2(v, u) - direction).abs() - 1))
    white = normal(context, volume, batch, slices, rows, columns)
    grain: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * gain[:, None], s=(rows, columns))
    return grain


def _waves(context: Context, volume: Tensor) -> Tensor:
    """Return one to four waves: (batch, 1, rows, columns)."""
    batch, _, rows, columns = volume.shape
    y = torch.arange(rows, device=volume.device)[:, None]
    x = torch.arange(columns, device=volume.device)
    pitch = uniform(context, volume, batch, 4, 1, 1, low=math.log(0.008), high=math.log(0.5)).exp()
    angle = uniform(context, volume, batch, 4, 1, 1, high=math.pi)
    start = uniform(context, volume, batch, 4, 1, 1, high=2 * math.pi)
    count = integers(context, volume, 1, 5, batch, 1, 1, 1)
    waves = torch.cos(2 * math.pi * pitch * (torch.cos(angle) * x + torch.sin(angle) * y) + start)
    there = torch.arange(4, device=volume.device)[:, None, None] < count
    return (waves * there).sum(1, keepdim=True)


def _around(context: Context, volume: Tensor) -> Tensor:
    """Return circles, rays or stripes about a point: (batch, 1, rows, columns)."""
    batch, _, rows, columns = volume.shape
    y = torch.linspace(-1, 1, rows, device=volume.device)[:, None]
    x = torch.linspace(-1, 1, columns, device=volume.device)
    y0, x0 = uniform(context, volume, 2, batch, 1, 1, low=-0.6, high=0.6)
    kind = integers(context, volume, 0, 3, batch, 1, 1)
    steps = uniform(context, volume, batch, 1, 1, low=math.log(8.0), high=math.log(TURNS / 2.0)).exp()
    radius = torch.hypot(x - x0, y - y0) / 2.3
    angle = torch.atan2(y - y0, x - x0) / (2 * math.pi) + 0.5
    across = (x * torch.cos(6 * y0) + y * torch.sin(6 * y0)) / 3.0 + 0.5
    where = torch.where(kind == 0, radius, torch.where(kind == 1, angle, across)).clamp(0, 1)
    draws = normal(context, volume, batch, TURNS)
    rare = uniform(context, volume, batch, 1) < 0.5
    draws = torch.where(rare, draws * (draws.abs() > 1.5), draws)
    step = (where * steps).long().clamp(0, TURNS - 1)
    found = torch.stack([one[at] for one, at in zip(draws, step, strict=True)])
    fades = uniform(context, volume, batch, 1, 1, high=3.0)
    return (found * torch.exp(-fades * radius * (kind == 1)))[:, None]


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Add a pattern. Strength: pattern_sd, its SD in halves of a reader's window."""
    batch = volume.shape[0]
    strength = log_spaced(severity, MILDEST, WORST)
    kind = integers(context, volume, 0, 4, batch, 1, 1, 1)
    grain, waves, around = (one.expand_as(volume) for one in (
        _grain(context, volume), _waves(context, volume), _around(context, volume)
    ))  # fmt: skip
    added = torch.where(kind < 2, grain, torch.where(kind == 2, waves, around))
    added = added - added.mean((1, 2, 3), keepdim=True)
    added = added / added.std((1, 2, 3), keepdim=True).clamp_min(1e-6)
    bright = above_air(volume, context).clamp(0.0, 1.5)
    depends = integers(context, volume, 0, 4, batch, 1, 1, 1)
    weight = torch.where(depends == 0, bright, torch.where(depends == 1, (1.2 - bright).clamp_min(0.1), 1.0))
    weight = weight * region(context, volume, WHOLE)
    changed = volume + SOFT[context.modality] * strength[:, None, None, None] * weight * added
    magnitude = uniform(context, volume, batch, 1, 1, 1) < 0.5
    if context.modality == "MR":  # a magnitude has no negative greys
        changed = torch.where(magnitude, changed.abs(), changed)
    return finish(volume, changed, severity, context, pattern_sd=strength)


ARTEFACT = Artefact("pattern", "", ("CT", "MR"), True, apply)
