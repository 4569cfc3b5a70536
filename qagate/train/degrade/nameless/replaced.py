"""Replaced: pixels give way to what stands for them: ranks and means of neighbours, blocks, or nothing at all.

Small values of a Haar transform are shrunk, a rank filter takes the lowest, middle or highest, blocks take their mean,
spots, bands or borders lose their content. What denoisers, encoders and gaps leave behind is among what comes of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced, uniform
from qagate.train.degrade.nameless.draws import SOFT, region

MILDEST, WORST = 0.06, 1.0


def _rank(volume: Tensor, rank: float) -> Tensor:
    """Return a rank of 3 x 3 neighbours, twice. rank: 0 lowest, 1 highest."""
    for _ in range(2):
        padded = F.pad(volume, (1, 1, 1, 1), mode="replicate")
        rows, columns = volume.shape[-2:]
        views = [padded[..., r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
        volume = torch.stack(views).sort(0).values[round(8 * rank)]
    return volume


def _blocks(volume: Tensor, side: int) -> Tensor:
    """Return means of blocks."""
    rows, columns = volume.shape[-2:]
    side = min(side, rows, columns)
    padded = F.pad(volume, (0, -columns % side, 0, -rows % side), mode="replicate")
    means = F.avg_pool2d(padded, side)
    return means.repeat_interleave(side, -2).repeat_interleave(side, -1)[..., :rows, :columns]


def _shrunk(volume: Tensor, threshold: float) -> Tensor:
    """Return what is left when details below a threshold vanish, on three scales (soft threshold of a pyramid)."""
    low, found = volume, torch.zeros_like(volume)
    for scale in range(3):
        width = 2 ** (scale + 1) + 1
        coarse = F.avg_pool2d(low, width, 1, width // 2, count_include_pad=False)
        detail = low - coarse
        found = found + detail.sign() * (detail.abs() - threshold).clamp_min(0)
        low = coarse
    return low + found


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Replace. Strength: replaced_share, how much of the picture gives way, or the size of it."""
    batch = volume.shape[0]
    strength = log_spaced(severity, MILDEST, WORST)
    kind = integers(context, volume, 0, 4, batch)
    rank = uniform(context, volume, batch)
    middle = uniform(context, volume, batch) < 0.5
    side = uniform(context, volume, batch, low=math.log(2.0), high=math.log(16.0)).exp()
    grey = uniform(context, volume, batch, low=-1.0, high=1.0)
    where = region(context, volume, 0.6)
    spots = region(context, volume, 0.0)
    found = []
    for item in range(batch):
        one = volume[item][None]
        if kind[item] == 0:
            other = _rank(one, 0.5 if middle[item] else float(rank[item]))
        elif kind[item] == 1:
            other = _blocks(one, round(float(side[item])))
        elif kind[item] == 2:
            other = _shrunk(one, float(strength[item]) * SOFT[context.modality] * 0.6)
        else:
            middle_grey = one.mean() + grey[item] * SOFT[context.modality]
            other = one + spots[item] * (middle_grey - one)
        found.append(other[0])
    share = torch.where(kind == 2, torch.ones_like(strength), strength)
    changed = volume + share[:, None, None, None] * where * (torch.stack(found) - volume)
    return finish(volume, changed, severity, context, replaced_share=strength)


ARTEFACT = Artefact("replaced", "", ("CT", "MR"), True, apply)
