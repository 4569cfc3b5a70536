"""Oversmoothing by total variation: flat patches with sharp borders, fine texture gone.

Solved by the dual projection for min ½|u - v|² + λ TV(u), a fixed number of steps.
Source: Chambolle, J Math Imaging Vis 2004.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, per_volume

WEIGHTS = {"CT": (8.0, 300.0), "MR": (0.015, 0.6)}
"""Modality → λ at the mildest and the worst, HU or share of the brightest tissue."""
ITERATIONS = 24


def _forward(u: Tensor) -> tuple[Tensor, Tensor]:
    return F.pad(u[..., 1:, :] - u[..., :-1, :], (0, 0, 0, 1)), F.pad(u[..., 1:] - u[..., :-1], (0, 1))


def _divergence(py: Tensor, px: Tensor) -> Tensor:
    dy = py - F.pad(py[..., :-1, :], (0, 0, 1, 0))
    return dy + px - F.pad(px[..., :-1], (1, 0))


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Smooth. Strength: tv_weight λ (HU, or 1 for the brightest MR tissue)."""
    weight = log_spaced(severity, *WEIGHTS[context.modality])
    scale = per_volume(weight)
    py, px = torch.zeros_like(volume), torch.zeros_like(volume)
    for _ in range(ITERATIONS):
        gy, gx = _forward(_divergence(py, px) - volume / scale)
        length = 1 + 0.24 * torch.hypot(gy, gx)
        py, px = (py + 0.24 * gy) / length, (px + 0.24 * gx) / length
    return finish(volume, volume - scale * _divergence(py, px), severity, context, tv_weight=weight)


ARTEFACT = Artefact("smooth_tv", "oversmoothing", ("CT", "MR"), True, apply)
