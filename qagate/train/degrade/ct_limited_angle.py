"""A wedge of angles is missing: shapes smear along one direction, with bright and dark horns.

Source: Frikel and Quinto, Inverse Problems 2013 (artefacts of limited angles).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qagate.train.degrade import projection
from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, uniform
from qagate.train.degrade.fourier import blurred, taper

MILDEST_DEGREES, WORST_DEGREES = 1.5, 80.0
EDGE_DEGREES = 2.0
SLOW_PIXELS = 7.0
BONE = 0.4
"""Attenuation, relative to water, by which the bones outside the crop stand out."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Leave out a wedge. Strength: missing_degrees of 180."""
    grid, _ = projection.working_grid(volume, context.spacing_mm)
    scan = projection.projector(grid)
    missing = log_spaced(severity, MILDEST_DEGREES, WORST_DEGREES)
    centre = uniform(context, volume, volume.shape[0], high=math.pi)
    apart = torch.remainder(scan.angles - centre[:, None] + math.pi / 2, math.pi) - math.pi / 2
    lost = torch.sigmoid((missing[:, None] / 2 - torch.rad2deg(apart.abs())) / (EDGE_DEGREES / 4))  # (batch, views)
    outside = BONE * projection.outside_discs(scan, context, volume).sum(1, keepdim=True)
    sinogram = scan.project(projection.contrast(grid, taper(grid))) + outside
    residual = -1000 * scan.reconstruct(sinogram * lost[:, None, :, None])
    # the slow part of what the wedge held is known from the other views, and scanners put it back
    slow = torch.full_like(missing, SLOW_PIXELS)
    residual = residual - blurred(residual, slow, slow)
    return finish(volume, projection.add(volume, residual), severity, context, missing_degrees=missing)


ARTEFACT = Artefact("ct_limited_angle", "streak", ("CT",), True, apply)
