"""Metal: bright and dark streaks from one or two dense inserts.

The inserts are discs in or just beside the crop. Line integrals through them come out too small (saturation, with a
cross term to the other insert and to bone) and very noisy (few photons are left).
Source: De Man et al., IEEE Trans Nucl Sci 1999 (beam hardening, noise and scatter as causes of metal streaks).
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade import projection
from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, per_volume, uniform

MILDEST_HU, WORST_HU = 15.0, 1200.0
METAL_HU = 3071.0
"""12-bit scanners cannot show more."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Insert metal and its streaks. Strength: streak_hu, the 99th percentile of the streaks."""
    grid, in_plane_mm = projection.working_grid(volume, context.spacing_mm)
    scan = projection.projector(grid)
    batch = grid.shape[0]
    at = uniform(context, volume, batch, 2, 2, low=-0.42, high=0.42)
    at = at * torch.tensor((grid.shape[-2], grid.shape[-1]), device=volume.device)
    radius = uniform(context, volume, batch, 2, low=2.0, high=6.0) / in_plane_mm[:, None]
    radius = radius * severity.to(volume).sqrt().clamp_min(0.2)[:, None]
    # half of the volumes have one insert only
    radius[:, 1] *= (uniform(context, volume, batch) < 0.5).to(radius)
    middle = at[..., 1:] * torch.cos(scan.angles) + at[..., :1] * torch.sin(scan.angles)  # (batch, 2, views)
    path = 2 * (radius[..., None, None] ** 2 - (scan.offsets - middle[..., None]) ** 2).clamp_min(0).sqrt()
    metal = path.sum(1, keepdim=True)  # (batch, 1, views, bins), pixels of metal
    soft = scan.project(projection.attenuation(grid)) / 10
    few_photons = (metal / metal.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)).sqrt()
    draws = normal(context, volume, *soft.shape)
    lost = metal * (metal + 0.3 * soft) / metal.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    noise = draws * few_photons * lost.std(dim=(1, 2, 3), keepdim=True) * 0.25
    streaks = scan.reconstruct(noise - lost, cutoff=0.8)
    y = torch.arange(grid.shape[-2], device=volume.device) - (grid.shape[-2] - 1) / 2
    x = torch.arange(grid.shape[-1], device=volume.device) - (grid.shape[-1] - 1) / 2
    away = torch.hypot(y[:, None] - at[..., 0, None, None], x - at[..., 1, None, None])  # (batch, 2, rows, columns)
    inside = (radius[..., None, None] - away + 0.5).clamp(0, 1)
    inside = (inside * (radius > 0)[..., None, None]).amax(1, keepdim=True)
    streaks = streaks * (1 - inside)
    strength = log_spaced(severity, MILDEST_HU, WORST_HU)
    scale = torch.quantile(streaks.abs().flatten(1)[:, ::7], 0.99, dim=1).clamp_min(1e-9)
    changed = projection.add(volume, streaks * per_volume(strength / scale)).clamp(min=-1024, max=METAL_HU)
    mask = projection.add(torch.zeros_like(volume), inside.expand(grid.shape))
    changed = torch.lerp(changed, torch.full((), METAL_HU, device=volume.device), mask)
    widest = 2 * radius.amax(1) * in_plane_mm
    return finish(volume, changed, severity, context, streak_hu=strength, insert_diameter_mm=widest)


ARTEFACT = Artefact("ct_metal", "metal", ("CT",), True, apply)
