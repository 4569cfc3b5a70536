"""Too few views: fine streaks from every edge.

Views are left out and the remaining ones weigh more. Between two whole subsampling factors the weights are mixed, so
that the damage grows without steps.
Source: factors as in CT-DegradBench (arXiv 2605.16431), further down because a crop needs fewer views than a body.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qagate.train.degrade import projection
from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, integers
from qagate.train.degrade.fourier import taper

FACTORS = (1, 3, 4, 6, 9, 12)
"""Every n-th view is kept, all divisors of `projection.VIEWS`; severity runs over them evenly."""
BONE = 0.4
"""Attenuation, relative to water, by which the bones outside the crop stand out."""


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Leave out views. Strength: views, the number kept of 180 over 180 degrees."""
    grid, _ = projection.working_grid(volume, context.spacing_mm)
    scan = projection.projector(grid)
    start = integers(context, volume, 0, projection.VIEWS, volume.shape[0])
    order = torch.arange(projection.VIEWS, device=volume.device) + start[:, None]  # (batch, views)
    table = torch.stack([(order % n == 0).to(volume) * n for n in FACTORS], 1)  # (batch, factors, views)
    place = severity.to(volume) * (len(FACTORS) - 1)
    below = place.floor().long().clamp(0, len(FACTORS) - 2)
    share = (place - below)[:, None]
    rows = torch.arange(volume.shape[0], device=volume.device)
    weights = (1 - share) * table[rows, below] + share * table[rows, below + 1]
    outside = BONE * projection.outside_discs(scan, context, volume).sum(1, keepdim=True)
    sinogram = scan.project(projection.contrast(grid, taper(grid))) + outside
    residual = 1000 * scan.reconstruct(sinogram * (weights - 1)[:, None, :, None])
    factors = torch.tensor(FACTORS, dtype=volume.dtype, device=volume.device)
    kept = projection.VIEWS / ((1 - share[:, 0]) * factors[below] + share[:, 0] * factors[below + 1])
    return finish(volume, projection.add(volume, residual), severity, context, views=kept)


ARTEFACT = Artefact("ct_sparse_views", "streak", ("CT",), True, apply)
