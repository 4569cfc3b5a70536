"""Slices that failed: they lost their signal, partly or wholly.

About a third of the slices, at least one, fade towards air (CT) or zero (MR).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, uniform

LOSS = {"CT": (0.01, 1.0), "MR": (0.08, 1.0)}
"""Modality → (mildest, worst): CT shows a loss of 3 % as 30 HU."""
SHARE = 0.34


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Fade slices. Strengths: signal_loss of the slices that failed; failed_slices, their number."""
    batch, slices = volume.shape[:2]
    loss = log_spaced(severity, *LOSS[context.modality])
    draws = uniform(context, volume, batch, slices)
    if context.slice_weight is not None:
        failed = torch.ones_like(draws, dtype=torch.bool)  # the caller has chosen the slices
    else:
        failed = (draws < SHARE) | (draws == draws.amin(1, keepdim=True))
    air = -1000.0 if context.modality == "CT" else 0.0
    gain = (1 - loss[:, None] * failed)[..., None, None]
    changed = (volume - air) * gain + air
    return finish(volume, changed, severity, context, signal_loss=loss, failed_slices=failed.sum(1).to(volume))


ARTEFACT = Artefact("slice_blank", "slice_gaps", ("CT", "MR"), True, apply)
