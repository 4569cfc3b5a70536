"""Motion between slices: neighbours are shifted in their plane against one another.

The shifts have zero median, so that most of the stack stays where it was.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal

MILDEST_MM, WORST_MM = 0.2, 8.0


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Shift slices. Strength: shift_mm, RMS over the slices. One slice alone stays as it is."""
    batch, slices, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST_MM, WORST_MM)
    shifts = normal(context, volume, batch, slices, 2)
    shifts = shifts - shifts.median(1, keepdim=True).values
    rms = shifts.square().sum(-1).mean(-1).sqrt().clamp_min(1e-6)
    shifts = shifts * (strength / rms)[:, None, None] / context.spacing_mm.to(volume)[:, None, 1:]  # pixels
    zero, one = torch.zeros_like(shifts[..., 0]), torch.ones_like(shifts[..., 0])
    move = (one, zero, 2 * shifts[..., 1] / columns, zero, one, 2 * shifts[..., 0] / rows)
    matrix = torch.stack(move, -1).reshape(batch * slices, 2, 3)
    grid = F.affine_grid(matrix, [batch * slices, 1, rows, columns], align_corners=False)
    flat = volume.reshape(batch * slices, 1, rows, columns)
    changed = F.grid_sample(flat, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return finish(volume, changed.reshape(volume.shape), severity, context, shift_mm=strength)


ARTEFACT = Artefact("slice_motion", "motion", ("CT", "MR"), True, apply)
