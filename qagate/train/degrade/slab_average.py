"""Thick slices: each slice is the mean over a slab, so what crosses slices obliquely is doubled or faint.

The slab has a rectangular profile; beyond the ends of the stack the slices that are there stand in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced

THINNEST, THICKEST = 1.2, 9.0


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Average over slabs. Strengths: slab_slices and slab_mm, its thickness. One slice alone stays as it is."""
    slices = volume.shape[1]
    width = log_spaced(severity, THINNEST, THICKEST)
    place = torch.arange(slices, dtype=volume.dtype, device=volume.device)
    upper = torch.minimum(place[:, None] + width[:, None, None] / 2, place + 0.5)
    lower = torch.maximum(place[:, None] - width[:, None, None] / 2, place - 0.5)
    overlap = (upper - lower).clamp_min(0)  # (batch, slices, slices)
    overlap = overlap / overlap.sum(-1, keepdim=True)
    changed = torch.einsum("bst,btrc->bsrc", overlap, volume)
    slab_mm = width * context.spacing_mm[:, 0].to(volume)
    return finish(volume, changed, severity, context, slab_slices=width, slab_mm=slab_mm)


ARTEFACT = Artefact("slab_average", "blur", ("CT", "MR"), True, apply)
