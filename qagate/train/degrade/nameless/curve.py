"""Curve: greys go through a curve drawn by chance, with steps, plateaus, turns back and ends that are cut off."""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, uniform
from qagate.train.degrade.nameless.draws import region

RANGE = {"CT": (-1000.0, 1000.0), "MR": (0.0, 1.2)}
TISSUE = {"CT": (-200.0, 300.0), "MR": (0.0, 1.0)}
"""Modality → greys over which the curve is drawn: all, or those of soft tissue."""
KNOTS = 24
MILDEST, WORST = 0.1, 1.4
FINEST, COARSEST = 0.02, 0.5
WHOLE = 0.8


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Bend greys. Strengths: curve_change, SD of the change in shares of its range; curve_step, width of its steps."""
    batch = volume.shape[0]
    strength = log_spaced(severity, MILDEST, WORST)
    step = log_spaced(severity, FINEST, COARSEST)
    of_tissue = uniform(context, volume, batch, 1, 1, 1) < 0.6
    (low, high), (low_all, high_all) = TISSUE[context.modality], RANGE[context.modality]
    least = torch.where(of_tissue, low, low_all)
    span = torch.where(of_tissue, high - low, high_all - low_all)
    share = (volume - least) / span
    stepped = uniform(context, volume, batch, 1, 1, 1) < 0.35
    start = uniform(context, volume, batch, 1, 1, 1)
    width = step[:, None, None, None]
    steps = (((share / width) + start).floor() - start + 0.5) * width
    rough = uniform(context, volume, batch, 1, low=0.0, high=1.0)
    draws = normal(context, volume, batch, KNOTS)
    walk = draws.cumsum(-1) / KNOTS**0.5
    curves = rough * 0.3 * draws + (1 - rough) * walk
    curves = curves - curves.mean(-1, keepdim=True)
    place = share.clamp(0, 1) * (KNOTS - 1)
    left = place.floor().clamp_max(KNOTS - 2).long()
    found = []
    for one, at, part in zip(curves, left, place - left, strict=True):
        found.append(one[at] * (1 - part) + one[at + 1] * part)
    bent = share + 0.5 * strength[:, None, None, None] * torch.stack(found)
    other = torch.where(stepped, steps, bent)
    inside = (share >= 0) & (share <= 1)
    changed = torch.where(inside, other, share) * span + least
    changed = volume + region(context, volume, WHOLE) * (changed - volume)
    return finish(volume, changed, severity, context, curve_change=strength, curve_step=step)


ARTEFACT = Artefact("curve", "", ("CT", "MR"), True, apply)
