"""Beam hardening: dark bands between dense parts, and cupping.

A polychromatic beam is hardened by dense matter, so line integrals through two dense parts come out too small by about
β·p1·p2. The dense parts are the bone in the crop and two discs beside it (as the other petrous bone or hip would be).
Source: Joseph and Spital, J Comput Assist Tomogr 1978 (second-order model).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade import projection
from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, per_volume, uniform
from qagate.train.degrade.fourier import taper

MILDEST_HU, WORST_HU = 25.0, 480.0
BONE_FROM_HU = 250.0


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Add bands and cupping. Strength: shading_hu, the 99th percentile of what is added."""
    grid, _ = projection.working_grid(volume, context.spacing_mm)
    scan = projection.projector(grid)
    bone = scan.project(((grid - BONE_FROM_HU) / 1000).clamp_min(0) * taper(grid))
    discs = projection.outside_discs(scan, context, volume)
    outside = discs.sum(1, keepdim=True)
    lost = bone * (bone + outside) + (discs[:, :1] * discs[:, 1:])
    bands = -scan.reconstruct(lost, cutoff=0.6)
    bands = bands / torch.quantile(bands.abs().flatten(1)[:, ::7], 0.99, dim=1).clamp_min(1e-9)[:, None, None, None]
    middle = uniform(context, volume, volume.shape[0], 2, low=-0.5, high=0.5)
    y = torch.linspace(-1, 1, scan.rows, device=volume.device) - middle[:, :1]
    x = torch.linspace(-1, 1, scan.columns, device=volume.device) - middle[:, 1:]
    cup = -torch.exp(-(y[:, None, :, None] ** 2 + x[:, None, None, :] ** 2))
    share = per_volume(uniform(context, volume, volume.shape[0], low=0.1, high=0.5))
    strength = log_spaced(severity, MILDEST_HU, WORST_HU)
    residual = per_volume(strength) * ((1 - share) * bands + share * cup)
    return finish(volume, projection.add(volume, residual), severity, context, shading_hu=strength)


ARTEFACT = Artefact("ct_beam_hardening", "beam_hardening", ("CT",), True, apply)
