"""Low dose: quantum noise of the projections, streaky where the path through the body is long.

The variance of a line integral grows with exp(path), so noise is drawn per detector bin with that weight, filtered and
backprojected. A crop does not contain the whole body: the missing path is an ellipse that may be longer from side to
side, as shoulders and hips are. Kernels from very smooth to edge-enhancing give it grain. Strength is the standard
deviation added, because that is what can be measured.
Source: Yu et al., J Comput Assist Tomogr 2012 (noise insertion); Zeng et al., IEEE TNS 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade import projection
from qagate.train.degrade.artefact import Artefact, Context, Degraded, finish, log_spaced, normal, per_volume, uniform

MILDEST_HU, WORST_HU = 5.0, 110.0
SMOOTHEST, SHARPEST = 0.35, 2.0
"""Cut-off of the kernel's Hann window in units of Nyquist."""
ENHANCED = 4.0
"""How many times an edge-enhancing kernel adds what the mean of 3 x 3 pixels takes away; half of all kernels do."""
LONGEST = 1.5
"""Line integral by which the missing path is longer from side to side, at most."""
LONGEST_PATH = 6.0
"""Line integrals are capped here (transmission 1/400): beyond it detectors are starved and scanners interpolate."""


def _noise(volume: Tensor, context: Context) -> Tensor:
    grid, in_plane_mm = projection.working_grid(volume, context.spacing_mm)
    scan = projection.projector(grid)
    batch = grid.shape[0]
    path = scan.project(projection.attenuation(grid)) * per_volume(projection.MU_WATER_PER_MM * in_plane_mm)
    elongation = LONGEST * uniform(context, volume, batch).square()  # most of a body is nearly round
    turn = 0.2 * normal(context, volume, batch)
    outside = -elongation[:, None] * torch.cos(2 * (scan.angles - turn[:, None]))  # (batch, views)
    path = (path + outside[:, None, :, None]).clamp(-2.0, LONGEST_PATH)
    draws = normal(context, volume, *path.shape)
    cutoff = uniform(context, volume, batch, low=SMOOTHEST, high=SHARPEST)
    noise = scan.reconstruct(draws * torch.exp(path / 2), cutoff)
    enhanced = uniform(context, volume, batch, low=-ENHANCED, high=ENHANCED).clamp_min(0.0)
    padded = F.pad(noise, (1, 1, 1, 1), mode="replicate")
    noise = noise + per_volume(enhanced) * (noise - F.avg_pool2d(padded, 3, 1))
    noise = noise / noise.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-9)
    return projection.add(torch.zeros_like(volume), noise)


def apply(volume: Tensor, severity: Tensor, context: Context) -> Degraded:
    """Add projection noise. Strength: noise_sd_hu, standard deviation of what is added."""
    sd = log_spaced(severity, MILDEST_HU, WORST_HU)
    return finish(volume, volume + per_volume(sd) * _noise(volume, context), severity, context, noise_sd_hu=sd)


ARTEFACT = Artefact("ct_noise", "noise", ("CT",), True, apply)
