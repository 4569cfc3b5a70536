"""Guises: ways to change a picture but not its quality, so that a model must not look at what they change."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from qagate.score.preprocess import MR_BODY

SHARPER = 0.45
"""Largest part of an unsharp mask that is still the same picture from another kernel."""
PHASE_HU, SOFT_TISSUE_HU = 30.0, 120.0
"""How far contrast medium lifts or leaves the middle of soft tissue, which lies from 0 to so many HU."""


def disguise(crops: Tensor, fields: Tensor, modality: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Change how pictures look but not how good they are: each (n, s, h, w) and its field in the same way.

    Contrast (a smooth monotone curve for MR; shift, gain and another phase of contrast medium for CT), flips and
    transposition, background taken away, coarse grey steps, a sharper kernel, noise and blur below what can be seen.
    """
    done: list[tuple[Tensor, Tensor]] = []
    for crop, field in zip(crops, fields, strict=True):
        draw = torch.rand(14, generator=generator).tolist()
        pair = [crop, field]
        if modality == "CT":
            shift, gain = 30.0 * (draw[0] - 0.5), 1.0 + 0.06 * (draw[1] - 0.5)
            pair = [(x + 1000.0) * gain - 1000.0 + shift * (x > -900.0) for x in pair]
            pair = [_phase(x, PHASE_HU * (2 * draw[2] - 1)) for x in pair]
        else:
            gamma, gain, bend = math.exp(0.3 * (draw[0] - 0.5) * 2), 0.75 + 0.4 * draw[1], 0.24 * (draw[2] - 0.5)
            pair = [_curve(x, gamma, gain, bend) for x in pair]
            if draw[3] < 0.2:  # background set to nothing, as many scanners do
                pair = [x * (x > 0.04) for x in pair]
            if draw[8] < 0.15:  # dark where it was bright: T1 against T2, but air stays dark
                pair = [torch.where(x > MR_BODY, (1.15 - x).clamp_min(0.05), x) for x in pair]
        if draw[4] < 0.5:
            pair = [x.flip(-1) for x in pair]
        if draw[5] < 0.5:
            pair = [x.flip(-2) for x in pair]
        if draw[6] < 0.3:
            pair = [x.transpose(-1, -2) for x in pair]
        if draw[7] < 0.3 and len(crop) > 1:
            pair = [x.flip(0) for x in pair]
        unit = 1.5 if modality == "CT" else 0.003
        if draw[9] < 0.4:
            pair[0] = pair[0] + unit * torch.randn(pair[0].shape, generator=generator)
        if draw[10] < 0.3:
            step = unit * 2
            pair = [(x / step).round() * step for x in pair]
        if draw[11] < 0.3:
            pair[0] = _soften(pair[0], 0.06)
        elif draw[12] < 0.4:
            pair[0] = _soften(pair[0], -SHARPER * draw[13] * 0.25)
        done.append((pair[0], pair[1]))
    return torch.stack([c for c, _ in done]), torch.stack([f for _, f in done])


def _phase(x: Tensor, lift_hu: float) -> Tensor:
    """Move the middle of soft tissue, smoothly: water stays, and so does bone."""
    share = (x / SOFT_TISSUE_HU).clamp(0.0, 1.0)
    return x + 4.0 * lift_hu * share * (1.0 - share)


def _curve(x: Tensor, gamma: float, gain: float, bend: float) -> Tensor:
    """A monotone curve through 0: power, gain and a bend of the middle greys."""
    positive = x.clamp_min(0.0)
    y = positive.clamp_min(1e-6) ** gamma * gain
    y = y + bend * torch.sin(math.pi * y.clamp(0.0, 1.0)) * y.clamp(0.0, 1.0)
    return torch.where(x > 0, y, x)


def _soften(x: Tensor, share: float) -> Tensor:
    kernel = torch.tensor([share, 1 - 2 * share, share])
    flat = F.pad(x[:, None], (1, 1, 1, 1), mode="replicate")
    return F.conv2d(F.conv2d(flat, kernel.reshape(1, 1, 1, 3)), kernel.reshape(1, 1, 3, 1))[:, 0]
