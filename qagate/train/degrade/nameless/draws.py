"""Draws that nameless faults share: smooth random fields, and what one unit of grey is."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Context, normal, uniform

AIR_HU = -1000.0
UNIT = {"CT": 1000.0, "MR": 1.0}
"""Modality → what separates air from tissue: HU, or the brightest tissue of MR."""
SOFT = {"CT": 200.0, "MR": 0.5}
"""Modality → a difference that a reader's window shows as half of its greys."""


def above_air(volume: Tensor, context: Context) -> Tensor:
    """Return the volume with air at 0 and about 1 for tissue, so that one mathematics does for CT and MR."""
    return (volume - AIR_HU) / UNIT["CT"] if context.modality == "CT" else volume


def below(shown: Tensor, context: Context) -> Tensor:
    """Return what `above_air` was given."""
    return shown * UNIT["CT"] + AIR_HU if context.modality == "CT" else shown


def smooth(context: Context, volume: Tensor, coarsest: float, finest: float, count: int = 1) -> Tensor:
    """Return random fields of mean 0 and SD 1 in each slice, (batch, count, rows, columns).

    Their grain is log-uniform between so many parts of the side: 2 is half of the picture.
    """
    batch, _, rows, columns = volume.shape
    grain = uniform(context, volume, batch, low=math.log(coarsest), high=math.log(finest)).exp()
    draws = normal(context, volume, batch, count, 48, 48)
    found = []
    for one, parts in zip(draws, grain.tolist(), strict=True):
        side = max(2, min(48, round(parts)))
        found.append(F.interpolate(one[None, :, :side, :side], (rows, columns), mode="bicubic", align_corners=True)[0])
    fields = torch.stack(found)
    fields = fields - fields.mean((-2, -1), keepdim=True)
    return fields / fields.std((-2, -1), keepdim=True).clamp_min(1e-6)


def region(context: Context, volume: Tensor, whole: float) -> Tensor:
    """Return where a fault is, (batch, 1, rows, columns) 0..1: everywhere with a chance of `whole`, else in a blot."""
    everywhere = uniform(context, volume, volume.shape[0], 1, 1, 1) < whole
    edge = uniform(context, volume, volume.shape[0], 1, 1, 1, low=1.0, high=12.0)
    level = uniform(context, volume, volume.shape[0], 1, 1, 1, low=-0.7, high=0.9)
    blot = torch.sigmoid((smooth(context, volume, 2.0, 6.0) - level) * edge)
    return torch.where(everywhere, torch.ones_like(blot), blot)
