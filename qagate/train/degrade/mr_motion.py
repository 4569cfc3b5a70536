"""Rigid motion during acquisition: k-space is put together from segments acquired in different poses.

Lines along the phase-encoding axis are acquired in order; at random times the body takes another pose (in-plane shift
and turn). The pose at the centre of k-space, where the contrast lies, is the reference and is left in place, so that no
shift of the whole image leaks into the label.
Source: Shaw et al., IEEE TMI 2020 (composite k-space); centre as reference: arXiv 2204.03522.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, uniform
from qagate.train.degrade.fourier import frequencies, image, k_space, phase_axis, spread, without_border

MILDEST_MM, WORST_MM = 0.3, 8.0
DEGREES_PER_MM = 0.6
POSES = 4


def _turned(volume: Tensor, angle: Tensor) -> Tensor:
    """Return every slice turned about its centre by `angle` (batch,) rad."""
    rows, columns = volume.shape[-2:]
    zero = torch.zeros_like(angle)
    cos, sin, ratio = torch.cos(angle), torch.sin(angle), rows / columns
    matrix = torch.stack((cos, -sin * ratio, zero, sin / ratio, cos, zero), 1).reshape(-1, 2, 3)
    grid = F.affine_grid(matrix, [volume.shape[0], 1, rows, columns], align_corners=False)
    return F.grid_sample(volume, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Move. Strengths: motion_mm, RMS shift of the poses; turn_degrees, RMS turn."""
    batch, _, rows, columns = volume.shape
    strength = log_spaced(severity, MILDEST_MM, WORST_MM)
    axis = phase_axis(context, volume)
    still = without_border(volume)
    shifts = normal(context, volume, batch, POSES, 2)
    turns = normal(context, volume, batch, POSES)
    scale = shifts.square().sum(-1).mean(-1).sqrt().clamp_min(1e-6)
    shifts = shifts / scale[:, None, None] * strength[:, None, None]  # mm
    shifts = shifts / context.spacing_mm.to(volume)[:, None, 1:]  # pixels
    turns = turns / turns.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-6)
    degrees = strength * DEGREES_PER_MM
    turns = turns * torch.deg2rad(degrees)[:, None]
    # when the poses begin: both halves of k-space, never its centre
    begins = uniform(context, volume, batch, POSES, low=math.log(0.015), high=math.log(0.35)).exp()
    side = torch.where(uniform(context, volume, batch, POSES) < 0.5, -1.0, 1.0)
    v, u = frequencies(rows, volume), frequencies(columns, volume)
    spectrum = k_space(still)
    # the later pose of a side overrides the earlier one, from the centre outwards
    order = begins.argsort(1)
    for rank in range(POSES):
        pick = order[:, rank : rank + 1]
        begin, sign = begins.gather(1, pick), side.gather(1, pick)
        shift = shifts.gather(1, pick[..., None].expand(-1, -1, 2))[:, 0]
        turned = k_space(_turned(still, turns.gather(1, pick)[:, 0]))
        ramp = v[None, :, None] * shift[:, :1, None] + u[None, None, :] * shift[:, 1:, None]
        moved = turned * torch.polar(torch.ones((), device=volume.device), -2 * math.pi * ramp)[:, None]
        mask = spread(axis, v * sign >= begin, u * sign >= begin)
        spectrum = torch.where(mask, moved, spectrum)
    residual = image(spectrum).abs() - still.abs()
    return finish(
        volume, volume + residual, severity, context, motion_mm=strength, turn_degrees=degrees, phase_axis=axis
    )


ARTEFACT = Artefact("mr_motion", "motion", ("MR",), True, apply)
