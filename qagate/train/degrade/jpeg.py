"""Lossy JPEG: 8 x 8 blocks whose cosine coefficients were rounded.

Grey values are put on the 8-bit scale of a wide window, transformed per block, divided by the luminance table times a
factor, rounded and put back. The grid of blocks lies anywhere, because crops do.
Source: ITU-T T.81, annex K.1 (table) and A.3.3 (transform).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced

MILDEST, WORST = 0.5, 18.0
GREY_PER_UNIT = {"CT": 255 / 1000, "MR": 255.0}
TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def _cosines() -> Tensor:
    """Return the (8, 8) orthonormal DCT-II matrix."""
    k, n = torch.arange(8)[:, None], torch.arange(8)
    matrix = torch.cos(math.pi * (2 * n + 1) * k / 16) * 0.5
    matrix[0] *= math.sqrt(0.5)
    return matrix


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Compress. Strength: table_factor, 1 is about JPEG quality 50."""
    batch, slices, rows, columns = volume.shape
    factor = log_spaced(severity, MILDEST, WORST)
    top, left = (int(v) for v in integers(context, volume, 0, 8, 2).tolist())
    pad = (left, (-columns - left) % 8, top, (-rows - top) % 8)
    grey = F.pad(volume * GREY_PER_UNIT[context.modality], pad, mode="replicate")
    high, wide = grey.shape[-2] // 8, grey.shape[-1] // 8
    cosines = _cosines().to(volume)
    blocks = grey.reshape(batch, slices, high, 8, wide, 8).permute(0, 1, 2, 4, 3, 5)
    steps = torch.tensor(TABLE, dtype=volume.dtype, device=volume.device) * factor[:, None, None, None, None, None]
    rounded = torch.round(cosines @ blocks @ cosines.T / steps) * steps
    grey = (cosines.T @ rounded @ cosines).permute(0, 1, 2, 4, 3, 5).reshape(grey.shape)
    changed = grey[..., top : top + rows, left : left + columns] / GREY_PER_UNIT[context.modality]
    return finish(volume, changed, severity, context, table_factor=factor)


ARTEFACT = Artefact("jpeg", "compression", ("CT", "MR"), True, apply)
