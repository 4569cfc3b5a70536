"""Motion during the turn: double contours and arcs.

Each view sees the moving part at another place; in a parallel-beam sinogram a shift is a shift of the view along the
detector by dx·cos(angle) + dy·sin(angle). Half of the volumes move as a whole, half in a soft-edged part (heart,
diaphragm, bowel).
Source: Crawford et al., IEEE TMI 1996 (respiratory motion in CT).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qagate.train.degrade import projection
from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, uniform
from qagate.train.degrade.fourier import taper

MILDEST_MM, WORST_MM = 0.25, 8.0


def _moving_part(grid: Tensor, context: Context) -> Tensor:
    """Return how much each pixel moves, (batch, 1, rows, columns) 0..1, 0 at the border of the crop."""
    batch = grid.shape[0]
    middle = uniform(context, grid, batch, 2, low=-0.4, high=0.4)
    reach = uniform(context, grid, batch, low=0.35, high=0.7)[:, None, None]
    y = torch.linspace(-1, 1, grid.shape[-2], device=grid.device) - middle[:, :1]
    x = torch.linspace(-1, 1, grid.shape[-1], device=grid.device) - middle[:, 1:]
    part = torch.exp(-(((y[:, :, None] ** 2 + x[:, None, :] ** 2) / reach**2) ** 2))
    whole = (uniform(context, grid, batch) < 0.5).to(grid)[:, None, None]
    return (torch.maximum(part, whole) * taper(grid))[:, None]


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Move during the turn. Strength: motion_mm, the largest displacement."""
    grid, in_plane_mm = projection.working_grid(volume, context.spacing_mm)
    scan = projection.projector(grid)
    batch = grid.shape[0]
    strength = log_spaced(severity, MILDEST_MM, WORST_MM)
    toward = uniform(context, volume, batch, 1, high=2 * math.pi)
    phase = uniform(context, volume, batch, 1, high=2 * math.pi)
    periods = uniform(context, volume, batch, 1, low=0.5, high=2.0)
    jump_at = uniform(context, volume, batch, 1, low=0.2, high=0.8)
    jumps = (uniform(context, volume, batch, 1) < 0.4).to(grid)
    time = torch.linspace(0, 1, projection.VIEWS, device=volume.device)
    course = jumps * torch.tanh((time - jump_at) * 30) + (1 - jumps) * torch.sin(2 * math.pi * periods * time + phase)
    course = course - course.mean(1, keepdim=True)  # no shift on the whole
    course = course / course.abs().amax(1, keepdim=True).clamp_min(1e-6)
    shift = course * torch.cos(scan.angles - toward) * (strength / in_plane_mm)[:, None]  # (batch, views), pixels
    sinogram = scan.project(projection.contrast(grid, _moving_part(grid, context)))
    bins = sinogram.shape[-1]
    frequency = torch.fft.rfftfreq(bins).to(volume.device)
    turn = torch.polar(torch.ones((), device=volume.device), -2 * math.pi * frequency * shift[..., None])
    moved = torch.fft.irfft(torch.fft.rfft(sinogram) * turn[:, None], n=bins)
    residual = 1000 * scan.reconstruct(moved - sinogram)
    return finish(volume, projection.add(volume, residual), severity, context, motion_mm=strength)


ARTEFACT = Artefact("ct_motion", "motion", ("CT",), True, apply)
