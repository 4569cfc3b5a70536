"""Undersampling: lines of k-space are missing and were set to zero.

Missing at random they leave incoherent smear along the phase-encoding axis; missing evenly they leave folded copies.
Source: Zbontar et al., arXiv 1811.08839 (fastMRI masks: random and equispaced, fully sampled centre).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced, uniform
from qagate.train.degrade.fourier import frequencies, image, k_space, phase_axis, spread, without_border

MILDEST, WORST = 0.1, 0.97
CENTRE = 0.03
"""Half-width of the fully sampled centre in cycles per pixel."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Leave out lines. Strength: missing_share of the lines outside the centre."""
    batch, _, rows, columns = volume.shape
    missing = log_spaced(severity, MILDEST, WORST)
    axis = phase_axis(context, volume)
    even = (uniform(context, volume, batch, 1) < 0.4).to(volume)
    step = integers(context, volume, 2, 5, batch, 1)
    draws = uniform(context, volume, batch, max(rows, columns))

    def lines(size: int) -> Tensor:
        number = torch.arange(size, device=volume.device)
        f = frequencies(size, volume).abs()
        random = (missing[:, None] - draws[:, :size]).mul(20).clamp(0, 1)
        regular = (number % step != 0) * missing[:, None]
        lost = (even * regular + (1 - even) * random) * (f > CENTRE)
        return 1 - lost

    still = without_border(volume)
    weights = spread(axis, lines(rows), lines(columns))
    residual = image(k_space(still) * weights).abs() - still.abs()
    return finish(volume, volume + residual, severity, context, missing_share=missing, phase_axis=axis)


ARTEFACT = Artefact("mr_undersampling", "undersampling", ("MR",), True, apply)
