"""Dropped slices: the stack jumps, what follows comes from further on and the end is repeated."""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, uniform


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Drop neighbouring slices. Strength: dropped_slices, 1 .. all but two. One or two slices stay as they are."""
    batch, slices = volume.shape[:2]
    dropped = (severity * (slices - 2)).ceil().clamp(min=min(1, slices - 1) if slices > 2 else 0)
    cut = uniform(context, volume, batch)[:, None] * (slices - dropped[:, None]).clamp_min(1)
    place = torch.arange(slices, device=volume.device)
    source = (place + torch.where(place >= cut.floor().clamp_min(1), dropped[:, None], 0.0)).clamp_max(slices - 1)
    changed = volume[torch.arange(batch, device=volume.device)[:, None], source.long()]
    return finish(volume, changed, severity, context, dropped_slices=dropped)


ARTEFACT = Artefact("slice_drop", "slice_gaps", ("CT", "MR"), False, apply)
