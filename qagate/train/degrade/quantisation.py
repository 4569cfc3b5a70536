"""Too few grey levels: smooth areas break into steps."""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, per_volume, uniform

STEPS = {"CT": (25.0, 400.0), "MR": (0.06, 0.5)}
"""Modality → (mildest, worst) step, HU or share of the brightest tissue."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Round to steps. Strength: step (HU, or 1 for the brightest MR tissue)."""
    step = log_spaced(severity, *STEPS[context.modality])
    start = uniform(context, volume, volume.shape[0]) if context.modality == "CT" else torch.zeros_like(step)
    size, offset = per_volume(step), per_volume(start * step)
    changed = torch.round((volume - offset) / size) * size + offset
    return finish(volume, changed, severity, context, step=step)


ARTEFACT = Artefact("quantisation", "compression", ("CT", "MR"), True, apply)
