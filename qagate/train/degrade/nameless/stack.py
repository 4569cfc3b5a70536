"""Stack: slices are mixed with one another, made brighter or darker, shifted or filtered, each in another way."""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced, normal, uniform
from qagate.train.degrade.nameless.draws import SOFT, above_air, below

MILDEST, WORST = 0.15, 1.0


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Mix slices. Strength: mixed_share, how much of a slice is another's. One slice alone changes its greys only."""
    batch, slices = volume.shape[:2]
    strength = log_spaced(severity, MILDEST, WORST)
    kind = integers(context, volume, 0, 3, batch)[:, None, None, None]
    draws = normal(context, volume, batch, slices, slices)
    sharp = uniform(context, volume, batch, 1, 1, low=0.0, high=4.0)
    near = torch.arange(slices, device=volume.device)
    far = (near[:, None] - near).abs()
    shares = torch.softmax(sharp * draws - uniform(context, volume, batch, 1, 1, high=1.5) * far, -1)
    eye = torch.eye(slices, device=volume.device)
    matrix = eye + strength[:, None, None] * (shares - eye)
    some = uniform(context, volume, batch, slices, 1) < uniform(context, volume, batch, 1, 1, low=0.3, high=1.3)
    mixed = torch.einsum("bst,btrc->bsrc", torch.where(some, matrix, eye), volume)
    gains = normal(context, volume, batch, slices, 1, 1) * some[..., None] * strength[:, None, None, None]
    brighter = below(above_air(volume, context) * torch.exp(0.8 * gains), context)
    if context.modality == "CT":
        brighter = volume + SOFT["CT"] * gains * above_air(volume, context).clamp(0, 1)
    changed = torch.where(kind < 2, mixed, brighter) if slices > 1 else brighter
    return finish(volume, changed, severity, context, mixed_share=strength)


ARTEFACT = Artefact("stack", "", ("CT", "MR"), True, apply)
