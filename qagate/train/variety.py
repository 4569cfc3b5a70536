"""Variety: other pictures of the same subject, made before any artefact: few subjects must stand for many.

Coarser pixels, wider steps between slices, mirrored or turned pictures, another contrast of MR. Unlike guises
(`guises`) these come before the artefact, so the label is measured against the varied picture.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from qagate.score.preprocess import MR_RANGE
from qagate.train.data import CT_FIELD, MR_FIELD
from qagate.train.pack import Packed

COARSEST = 1.8
"""Largest factor by which pixels grow."""
SMALLEST = 0.8
"""Share of a field below which no picture is shrunk."""
GAMMA = 0.3


def varied(packed: Packed, random: np.random.Generator) -> Packed:
    """Return the volume as another scan might show it. The number of draws is always the same."""
    draw = random.random(8)
    voxels, spacing = np.asarray(packed.voxels, np.float32), packed.spacing_mm
    ct = packed.prompt.modality == "CT"
    if draw[0] < 0.2 and len(voxels) >= 7:  # four slices must be left
        voxels, spacing = voxels[::2], (2 * spacing[0], *spacing[1:])
    most = min(COARSEST, min(voxels.shape[1:]) / (SMALLEST * (CT_FIELD if ct else MR_FIELD)))
    if draw[1] < 0.5 and most > 1.05:
        factor = 1.0 + (most - 1.0) * draw[2]
        size = [round(n / factor) for n in voxels.shape[1:]]
        voxels = F.interpolate(torch.from_numpy(np.ascontiguousarray(voxels))[None], size, mode="area")[0].numpy()
        spacing = (spacing[0], spacing[1] * factor, spacing[2] * factor)
    if draw[3] < 0.5:
        voxels = voxels[:, :, ::-1]
    if draw[4] < 0.5:
        voxels = voxels[:, ::-1]
    if draw[5] < 0.3 and not ct:
        voxels, spacing = voxels.transpose(0, 2, 1), (spacing[0], spacing[2], spacing[1])
    if draw[6] < 0.4 and not ct:
        low, high = MR_RANGE
        voxels = np.clip(np.clip(voxels, 0.0, None) ** math.exp(GAMMA * (2 * draw[7] - 1)), low, high)
    return replace(packed, voxels=np.ascontiguousarray(voxels), spacing_mm=spacing)
