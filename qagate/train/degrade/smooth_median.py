"""Oversmoothing by a median filter: thin lines vanish, corners round off.

The median is taken along columns, then along rows. Between windows of 3, 5, 9 and 13 pixels (the wider two look at
every second and third pixel) the results are mixed, so that the damage has no steps.
Source: Narendra, IEEE TPAMI 1981 (separable median).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, per_volume

WINDOWS = ((3, 1), (5, 1), (5, 2), (5, 3))
"""(size, step between pixels) of the medians, each an equal part of the severity scale."""


def _middle_of_three(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))


def _middle_of_five(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor) -> Tensor:
    low = torch.maximum(torch.minimum(a, b), torch.minimum(c, d))
    high = torch.minimum(torch.maximum(a, b), torch.maximum(c, d))
    return _middle_of_three(e, low, high)


def _median(volume: Tensor, size: int, step: int) -> Tensor:
    reach = size // 2 * step
    for axis in (-2, -1):
        pad = (0, 0, reach, reach) if axis == -2 else (reach, reach, 0, 0)
        padded = F.pad(volume, pad, mode="replicate")
        near = [padded.narrow(axis, n * step, volume.shape[axis]) for n in range(size)]
        volume = _middle_of_three(*near) if size == 3 else _middle_of_five(*near)
    return volume


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Smooth. Strength: median_reach_pixels, width of the window, interpolated."""
    level = severity.to(volume) * len(WINDOWS)
    changed = volume
    before, width = 1.0, torch.ones_like(level)
    for number, (size, step) in enumerate(WINDOWS):
        share = (level - number).clamp(0, 1)
        if bool((share > 0).any()):
            changed = torch.lerp(changed, _median(volume, size, step), per_volume(share))
        reach = float((size - 1) * step + 1)
        width = width + share * (reach - before)
        before = reach
    return finish(volume, changed, severity, context, median_reach_pixels=width)


ARTEFACT = Artefact("smooth_median", "oversmoothing", ("CT", "MR"), True, apply)
