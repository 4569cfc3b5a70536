"""Variety: other pictures of the same subject, made before any artefact: few subjects must stand for many.

Coarser or finer pixels, wider steps between slices, mirrored or turned pictures, another contrast of MR. Unlike guises
(`guises`) these come before the artefact, so the label is measured against the varied picture. `enlarged` adds the
trunk, of which there is little MR, as MR might show it: new anatomy in new contrasts, so that the brain is no rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage

from qagate.domain.prompt import Prompt
from qagate.score.preprocess import CT_BODY_HU, MR_RANGE, apply_standard, standard_of
from qagate.train.pack import Packed

COARSER, FINER = 0.45, 0.15
"""How often pixels grow, and how often a picture is interpolated to finer ones, as for a small field of view."""
COARSEST, FINEST = 4.0, {"CT": 0.625, "MR": 0.5}
"""Largest and smallest factor by which pixels grow."""
SMALLEST = {"CT": 140, "MR": 64}
"""Pixels below which no picture is shrunk: those of a body in a wide field, and of echo-planar pictures."""
GAMMA = 0.3
CONTRASTS, STACK = 3, 4
"""So many contrasts of each CT of at least so many slices are shown as MR."""
AS_MR = "CT as MR"
TISSUES_HU = (-1000.0, -400.0, -100.0, 0.0, 50.0, 150.0, 300.0, 900.0)
"""Air, lung's border, fat, water, muscle, filled vessels, marrow, cortical bone."""
MR_PIXEL_MM = 1.25
"""CT is averaged to about this before it is shown as MR: its own noise must not be that of the new picture."""
COIL, HISS = 0.15, 0.008
"""Shading of the coil and noise of a good MR picture, in units of its brightest tissue."""


def varied(packed: Packed, random: np.random.Generator) -> Packed:
    """Return the volume as another scan might show it. The number of draws is always the same."""
    draw = random.random(8)
    voxels, spacing = np.asarray(packed.voxels, np.float32), packed.spacing_mm
    ct = packed.prompt.modality == "CT"
    if draw[0] < 0.2 and len(voxels) >= 7:  # four slices must be left
        voxels, spacing = voxels[::2], (2 * spacing[0], *spacing[1:])
    modality = "CT" if ct else "MR"
    coarsest = min(COARSEST, min(voxels.shape[1:]) / SMALLEST[modality])
    if draw[1] < COARSER and coarsest > 1.05:
        voxels, spacing = _resized(voxels, spacing, coarsest ** draw[2], "area")
    elif 1.0 - draw[1] < FINER:
        voxels, spacing = _resized(voxels, spacing, FINEST[modality] ** draw[2], "bicubic")
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


def _resized(
    voxels: npt.NDArray[np.float32], spacing_mm: tuple[float, float, float], factor: float, mode: str
) -> tuple[npt.NDArray[np.float32], tuple[float, float, float]]:
    """Return a volume with pixels `factor` times as wide."""
    size = [round(n / factor) for n in voxels.shape[1:]]
    found = F.interpolate(torch.from_numpy(np.ascontiguousarray(voxels))[None], size, mode=mode)[0].numpy()
    return found, (spacing_mm[0], spacing_mm[1] * factor, spacing_mm[2] * factor)


def enlarged(contents: Sequence[Packed]) -> list[Packed]:
    """Return volumes and, after them, the stacks of CT among them as MR; always the same."""
    random = np.random.default_rng(7)
    stacks = [p for p in contents if p.prompt.modality == "CT" and p.kind != "phantom" and len(p.voxels) >= STACK]
    return [*contents, *(as_mr(stack, random) for stack in stacks for _ in range(CONTRASTS))]


def _patient(hu: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return the largest thing of each slice, holes and all."""
    found = np.zeros(hu.shape, bool)
    for inside, picture in zip(found, hu, strict=True):
        things, count = ndimage.label(picture > CT_BODY_HU)
        if count:
            inside[:] = ndimage.binary_fill_holes(things == 1 + np.argmax(np.bincount(things.ravel())[1:]))
    return found


def as_mr(packed: Packed, random: np.random.Generator) -> Packed:
    """Return a CT as a good MR of the same anatomy might look, with a contrast drawn by chance.

    Every tissue gets a grey of its own, in no fixed order; air and cortical bone stay dark. Idea: Billot et al.,
    Med Image Anal 2023 (contrasts drawn at random make a network indifferent to them).
    """
    factor = max(1.0, MR_PIXEL_MM / packed.spacing_mm[1])
    smooth = ndimage.gaussian_filter(np.asarray(packed.voxels, np.float32), (0, 0.8 * factor, 0.8 * factor))
    coarse, spacing = _resized(smooth, packed.spacing_mm, factor, "area")
    coarse = np.where(_patient(coarse), coarse, TISSUES_HU[0])  # MR shows no table
    fat, muscle = random.uniform(0.25, 1.0), random.uniform(0.2, 0.8)
    water, vessel = random.uniform(0.05, 1.0), random.uniform(0.05, 1.0)
    marrow, bone = random.uniform(0.2, 0.9), random.uniform(0.02, 0.2)
    greys = (0.0, random.uniform(0.0, 0.06), fat, water, muscle, vessel, marrow, bone)
    grey = np.interp(coarse, TISSUES_HU, greys)
    shading = ndimage.zoom(random.normal(size=(3, 3)), [n / 3 for n in grey.shape[1:]], order=3, mode="nearest")
    grey = grey * np.exp(COIL * shading[: grey.shape[1], : grey.shape[2]])
    hiss = random.normal(0.0, HISS, (2, *grey.shape))
    grey = np.hypot(grey + hiss[0], hiss[1]).astype(np.float32)
    voxels = apply_standard(grey, standard_of(grey, "MR"))
    prompt = Prompt(modality="MR", regions=packed.prompt.regions, organ=packed.prompt.organ)
    name = f"{packed.name} as MR"
    return replace(packed, name=name, kind=AS_MR, prompt=prompt, spacing_mm=spacing, voxels=voxels)
