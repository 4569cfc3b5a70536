"""Oversmoothing by a median filter: thin lines vanish, corners round off.

The median is taken along columns, then along rows. Windows of 3 and 5 pixels, then of 5 pixels at a half and a third of
the resolution follow one another along the severity scale; between them the results are mixed.
Source: Narendra, IEEE TPAMI 1981 (separable median).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, per_volume

WINDOWS = ((3, 1), (5, 1), (5, 2), (5, 3))
"""(width in pixels, shrinking factor of the grid) of the medians, each an equal part of the severity scale."""


def _middle_of_three(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))


def _middle_of_five(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor) -> Tensor:
    low = torch.maximum(torch.minimum(a, b), torch.minimum(c, d))
    high = torch.minimum(torch.maximum(a, b), torch.maximum(c, d))
    return _middle_of_three(e, low, high)


def _median(volume: Tensor, size: int, factor: int) -> Tensor:
    small = F.avg_pool2d(volume, factor, ceil_mode=True) if factor > 1 else volume
    reach = size // 2
    for axis in (-2, -1):
        pad = (0, 0, reach, reach) if axis == -2 else (reach, reach, 0, 0)
        padded = F.pad(small, pad, mode="replicate")
        near = [padded.narrow(axis, n, small.shape[axis]) for n in range(size)]
        small = _middle_of_three(*near) if size == 3 else _middle_of_five(*near)
    if factor == 1:
        return small
    return F.interpolate(small, size=volume.shape[-2:], mode="bilinear", align_corners=False)


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Smooth. Strength: median_width_pixels, interpolated."""
    level = severity.to(volume) * len(WINDOWS)
    changed, width, before = volume, torch.ones_like(level), 1
    for number, (size, factor) in enumerate(WINDOWS):
        share = (level - number).clamp(0, 1)
        if bool((share > 0).any()):
            changed = torch.lerp(changed, _median(volume, size, factor), per_volume(share))
        width = width + share * (size * factor - before)
        before = size * factor
    return finish(volume, changed, severity, context, median_width_pixels=width)


ARTEFACT = Artefact("smooth_median", "oversmoothing", ("CT", "MR"), True, apply)
