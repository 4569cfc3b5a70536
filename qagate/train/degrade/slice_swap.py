"""Slices out of order: a run of slices lies in the stack the wrong way round."""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Reverse a run of slices. Strength: reversed_slices, 2 or 3 .. what fits. One slice alone stays as it is.

    The run grows about a fixed middle, so that a higher severity only adds to what is out of place.
    """
    batch, slices = volume.shape[:2]
    # the middle of the run in half slices: odd lies between two slices
    middle = (slices - 1 + integers(context, volume, -1, 2, batch, 1)) / 2
    middle = middle.clamp(min(0.5, (slices - 1) / 2), max(slices - 1.5, (slices - 1) / 2))
    most = torch.minimum(middle, slices - 1 - middle)
    reach = (severity.to(volume)[:, None] * most).ceil() - (middle % 1)
    reach = torch.minimum(reach.clamp_min(0) + (reach < 0.5) * (1 - 0.5 * (middle % 1 > 0)), most)
    place = torch.arange(slices, device=volume.device)
    inside = (place - middle).abs() <= reach
    source = torch.where(inside, 2 * middle - place, place.to(volume)).long().clamp(0, slices - 1)
    changed = volume[torch.arange(batch, device=volume.device)[:, None], source]
    return finish(volume, changed, severity, context, reversed_slices=inside.sum(1).to(volume))


ARTEFACT = Artefact("slice_swap", "slice_gaps", ("CT", "MR"), False, apply)
