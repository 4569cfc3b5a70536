"""Clipping: values beyond a limit were cut off, by a saturated receiver or a narrow export window.

High values, low values or both are cut.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers, log_spaced, per_volume

HIGH = {"CT": (1200.0, 25.0), "MR": (0.95, 0.22)}
LOW = {"CT": (-950.0, -60.0), "MR": (0.02, 0.45)}
"""Modality → (limit at the mildest, limit at the worst), HU or share of the brightest tissue."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Clip. Strengths: highest and lowest value kept (HU, or 1 for the brightest MR tissue); infinite when not cut."""
    sides = integers(context, volume, 0, 3, volume.shape[0])
    highest = log_spaced(severity, *HIGH[context.modality])
    mildest, worst = LOW[context.modality]
    lowest = log_spaced(severity, abs(mildest), abs(worst)) * (-1 if mildest < 0 else 1)
    highest = torch.where(sides == 1, torch.full_like(highest, torch.inf), highest)
    lowest = torch.where(sides == 0, torch.full_like(lowest, -torch.inf), lowest)
    changed = torch.maximum(torch.minimum(volume, per_volume(highest)), per_volume(lowest))
    return finish(volume, changed, severity, context, highest=highest, lowest=lowest)


ARTEFACT = Artefact("clipping", "clipping", ("CT", "MR"), True, apply)
