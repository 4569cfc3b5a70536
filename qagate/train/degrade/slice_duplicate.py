"""Duplicated slices: one slice stands in for its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Repeat one slice. Strength: repeated_slices, 1 .. all others. One slice alone stays as it is."""
    batch, slices = volume.shape[:2]
    repeated = (severity * (slices - 1)).ceil()
    kept = integers(context, volume, 0, slices, batch, 1)
    up = integers(context, volume, 0, 2, batch, 1)
    place = torch.arange(slices, device=volume.device)
    distance = (place - kept).abs() * 2 - ((place > kept) == (up == 1)).long()  # no ties
    rank = distance.argsort(1).argsort(1)  # 0 is the kept slice
    source = torch.where(rank <= repeated[:, None], kept, place)
    changed = volume[torch.arange(batch, device=volume.device)[:, None], source]
    return finish(volume, changed, severity, context, repeated_slices=repeated)


ARTEFACT = Artefact("slice_duplicate", "slice_gaps", ("CT", "MR"), False, apply)
