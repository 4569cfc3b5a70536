"""Lines: the spectrum of every slice is changed line by line, in a random direction of rows, columns or both.

Each line gets a complex factor; between lines the factors may be alike over a few lines, over many, or periodic, and
they may hit few lines or all. What displaces, repeats or smears anatomy along one axis is among what comes of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, uniform
from qagate.train.degrade.fourier import frequencies, image, k_space, phase_axis, spread, without_border
from qagate.train.degrade.nameless.draws import above_air, below

MILDEST, WORST = 0.05, 1.4
LONGEST = 200
"""Largest size of an axis for which draws are kept apart from its size."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Change lines. Strength: line_change, RMS of what is added to the factor 1 of the lines that are hit."""
    batch, _, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST, WORST)
    axis = phase_axis(context, volume)
    alike = uniform(context, volume, batch, low=0.0, high=math.log(24.0)).exp()  # lines
    period = uniform(context, volume, batch, low=math.log(2.0), high=math.log(30.0)).exp()
    periodic = uniform(context, volume, batch) < 0.35
    hit = uniform(context, volume, batch, low=math.log(0.15), high=0.3).exp().clamp_max(1.0)
    spared = uniform(context, volume, batch, low=math.log(0.003), high=math.log(0.06)).exp()  # cycles per pixel
    phases = uniform(context, volume, batch)
    draws = normal(context, volume, batch, 3, LONGEST)

    def factors(size: int) -> Tensor:
        number = torch.arange(size, device=volume.device)
        found = []
        for item in range(batch):
            steps = (number / alike[item]).long() % LONGEST
            if periodic[item]:
                steps = (number % period[item]).long() % LONGEST
            real, imaginary, chosen = draws[item, :, steps]
            struck = torch.special.ndtr(chosen) < hit[item]
            turned = strength[item] * real * 2.5
            added = torch.polar(torch.ones_like(turned), turned) - 1  # a wrong phase
            weaker = torch.complex(strength[item] * real, strength[item] * imaginary)
            changed = torch.where(phases[item] < 0.5, added, weaker)
            free = frequencies(size, volume).abs() > spared[item]
            found.append(1 + changed * struck * free)
        return torch.stack(found)

    still = without_border(above_air(volume, context))
    residual = image(k_space(still) * spread(axis, factors(rows), factors(columns)))
    residual = (residual.abs() if context.modality == "MR" else residual.real) - still
    changed = below(above_air(volume, context) + residual, context)
    return finish(volume, changed, severity, context, line_change=strength, phase_axis=axis)


ARTEFACT = Artefact("lines", "", ("CT", "MR"), True, apply)
