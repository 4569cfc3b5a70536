"""In-plane blur: soft kernel, large focal spot, long echo train.

A Gaussian, in part of the volumes wider along one axis (T2 decay blurs along the phase-encoding axis only).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, uniform
from qagate.train.degrade.fourier import blurred, phase_axis

MILDEST_PIXELS, WORST_PIXELS = 0.5, 4.5


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Blur. Strengths: blur_sd_pixels and blur_sd_mm along the more blurred axis."""
    batch = volume.shape[0]
    sigma = log_spaced(severity, MILDEST_PIXELS, WORST_PIXELS)
    axis = phase_axis(context, volume)
    other = uniform(context, volume, batch, low=0.0, high=2.0).clamp_max(1.0)  # half of them are round
    along_rows = torch.where(axis == 0, sigma, sigma * other)
    along_columns = torch.where(axis == 0, sigma * other, sigma)
    changed = blurred(volume, along_rows, along_columns)
    spacing = context.spacing_mm.to(volume)
    sigma_mm = sigma * torch.where(axis == 0, spacing[:, 1], spacing[:, 2])
    return finish(volume, changed, severity, context, blur_sd_pixels=sigma, blur_sd_mm=sigma_mm)


ARTEFACT = Artefact("blur", "blur", ("CT", "MR"), True, apply)
