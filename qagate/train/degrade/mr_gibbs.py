"""Gibbs ringing: k-space ends too early, and every edge is followed by ripples.

Source: Veraart et al., Magn Reson Med 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced
from qagate.train.degrade.fourier import frequencies, image, k_space, without_border

MILDEST, WORST = 0.6, 0.11


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Cut k-space. Strength: kept_share of the band, along rows, columns, both, or within a circle."""
    batch, _, rows, columns = volume.shape
    kept = log_spaced(severity, MILDEST, WORST)
    shape = integers(context, volume, 0, 4, batch)[:, None, None]
    v = frequencies(rows, volume).abs()[:, None].expand(rows, columns)
    u = frequencies(columns, volume).abs().expand(rows, columns)
    inner = (1 + kept) / 2  # the axis that is cut less
    limit_v = torch.where(shape == 1, torch.ones_like(kept)[:, None, None], kept[:, None, None])
    limit_u = torch.where(shape == 0, torch.ones_like(kept)[:, None, None], kept[:, None, None])
    limit_u = torch.where(shape == 2, inner[:, None, None], limit_u)
    # the last line is partly kept, so that the cut moves without steps
    edge = 4.0 / min(rows, columns)
    box = ((limit_v * 0.5 - v) / edge + 0.5).clamp(0, 1) * ((limit_u * 0.5 - u) / edge + 0.5).clamp(0, 1)
    circle = ((kept[:, None, None] * 0.5 - torch.hypot(v, u)) / edge + 0.5).clamp(0, 1)
    mask = torch.where(shape == 3, circle, box)[:, None]
    still = without_border(volume)
    residual = image(k_space(still) * (mask - 1)).real
    return finish(volume, volume + residual, severity, context, kept_share=kept)


ARTEFACT = Artefact("mr_gibbs", "gibbs", ("MR",), True, apply)
