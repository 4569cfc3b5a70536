"""Displaced: pixels come from elsewhere: a warp, lines that slipped, a faint copy of the picture laid over it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced, normal, uniform
from qagate.train.degrade.nameless.draws import region, smooth

MILDEST_PIXELS, WORST_PIXELS = 0.2, 6.0
FAINTEST, STRONGEST = 0.05, 0.8
GROUPS = 256


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Displace. Strengths: displaced_pixels, RMS of the way; copy_share, weight of the copy where there is one."""
    batch, _, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST_PIXELS, WORST_PIXELS)
    share = log_spaced(severity, FAINTEST, STRONGEST)[:, None, None, None]
    kind = integers(context, volume, 0, 3, batch)  # a warp, lines, a copy
    warp = smooth(context, volume, 3.0, 24.0, 2)  # (batch, 2, rows, columns)
    across = uniform(context, volume, batch) < 0.5
    thick = uniform(context, volume, batch, low=1.0, high=24.0)
    slips = normal(context, volume, batch, GROUPS)
    rare = uniform(context, volume, batch, 1) < 0.5
    slips = torch.where(rare, slips * (slips.abs() > 1.3), slips)
    way = normal(context, volume, batch, 2)
    way = way / way.norm(dim=1, keepdim=True).clamp_min(1e-6)
    far = uniform(context, volume, batch, low=2.0, high=60.0)
    y = torch.arange(rows, device=volume.device)
    x = torch.arange(columns, device=volume.device)
    moves = []
    for item in range(batch):
        if kind[item] == 0:
            moves.append(warp[item] * strength[item])
        elif kind[item] == 1:
            at = (y[:, None].expand(rows, columns) if across[item] else x.expand(rows, columns)) / thick[item]
            slipped = slips[item][at.long() % GROUPS] * strength[item]
            still = torch.zeros_like(slipped)
            moves.append(torch.stack((still, slipped) if across[item] else (slipped, still)))
        else:
            moves.append((way[item] * far[item])[:, None, None].expand(2, rows, columns))
    move = torch.stack(moves)
    grid_y = (2 * (y[:, None] + move[:, 0]) + 1) / rows - 1
    grid_x = (2 * (x + move[:, 1]) + 1) / columns - 1
    grid = torch.stack((grid_x, grid_y), -1)
    moved = F.grid_sample(volume, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    weight = torch.where((kind == 2)[:, None, None, None], share, torch.ones_like(share))
    weight = weight * region(context, volume, 0.6)
    changed = volume + weight * (moved - volume)
    return finish(volume, changed, severity, context, displaced_pixels=strength, copy_share=share[:, 0, 0, 0])


ARTEFACT = Artefact("displaced", "", ("CT", "MR"), True, apply)
