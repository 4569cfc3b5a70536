"""Oversmoothing by a median filter: thin lines vanish, corners round off.

Between 3 x 3, 5 x 5 and 5 x 5 every other pixel (9 x 9 reach) the results are mixed, so that the damage has no steps.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, per_volume

WINDOWS = ((3, 1), (5, 1), (5, 2))
"""(size, dilation) of the medians, each a third of the severity scale."""


def _median(volume: Tensor, size: int, dilation: int) -> Tensor:
    rows, columns = volume.shape[-2:]
    reach = size // 2 * dilation
    padded = F.pad(volume, (reach,) * 4, mode="replicate")
    steps = range(0, size * dilation, dilation)
    shifted = [padded[..., dy : dy + rows, dx : dx + columns] for dy in steps for dx in steps]
    return torch.stack(shifted, -1).median(-1).values


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Smooth. Strength: median_reach_pixels, width of the window, interpolated."""
    level = severity.to(volume) * len(WINDOWS)
    changed = volume
    before, width = 1.0, torch.ones_like(level)
    for step, (size, dilation) in enumerate(WINDOWS):
        share = (level - step).clamp(0, 1)
        if bool((share > 0).any()):
            changed = torch.lerp(changed, _median(volume, size, dilation), per_volume(share))
        reach = float((size - 1) * dilation + 1)
        width = width + share * (reach - before)
        before = reach
    return finish(volume, changed, severity, context, median_reach_pixels=width)


ARTEFACT = Artefact("smooth_median", "oversmoothing", ("CT", "MR"), True, apply)
