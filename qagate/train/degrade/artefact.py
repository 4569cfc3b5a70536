"""Artefact: one way in which an image can be worse than it was, with a known severity.

Every artefact maps severity 0 to the image itself, bit for bit, and severity s in (0, 1] to a physical strength on a
log scale between a barely visible and a severe value. The strength used is returned, so that a label can always be
traced to physics. Chance comes from `Context.generator` alone, which lives on the CPU whatever the device of the
voxels: the same seed gives the same artefact everywhere. The number of draws never depends on severity, so one seed
at three severities is one realisation that gets worse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Context:
    """What an artefact needs to know beside the voxels.

    modality: "CT" (voxels in HU) or "MR" (robust 99.5th percentile 1, background about 0).
    spacing_mm: (batch, 3), between slices, rows, columns.
    generator: on the CPU.
    slice_weight: (batch, slices) 0..1, how strongly each slice takes part; None means 1 everywhere.
    """

    modality: str
    spacing_mm: Tensor
    generator: torch.Generator
    slice_weight: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Degraded:
    """A degraded volume, (batch, slices, rows, columns), and the physical strengths: name with unit → (batch,)."""

    volume: Tensor
    parameters: dict[str, Tensor]


Apply = Callable[[Tensor, Tensor, Context], Degraded]


@dataclass(frozen=True, slots=True)
class Artefact:
    """One kind of damage.

    attribute: the entry of `domain.assessment.ATTRIBUTES` it teaches, "" for none. modalities: where it can occur.
    local: whether it may act on some slices of a volume only (then `Context.slice_weight` makes sense).
    apply: (volume (batch, slices, rows, columns) float32, severity (batch,) 0..1, context) → Degraded.
    """

    name: str
    attribute: str
    modalities: tuple[str, ...]
    local: bool
    apply: Apply


def log_spaced(severity: Tensor, mildest: float, worst: float) -> Tensor:
    """Return the strength at each severity: mildest · (worst / mildest)^severity."""
    return mildest * (worst / mildest) ** severity


def normal(context: Context, like: Tensor, *shape: int) -> Tensor:
    """Return standard normal draws on the device of `like`."""
    return torch.randn(shape, generator=context.generator).to(like.device)


def uniform(context: Context, like: Tensor, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return uniform draws in [low, high) on the device of `like`."""
    return (low + (high - low) * torch.rand(shape, generator=context.generator)).to(like.device)


def integers(context: Context, like: Tensor, low: int, high: int, *shape: int) -> Tensor:
    """Return integer draws in [low, high) on the device of `like`."""
    return torch.randint(low, high, shape, generator=context.generator).to(like.device)


def per_volume(values: Tensor) -> Tensor:
    """Return (batch,) values so that they broadcast over (batch, slices, rows, columns)."""
    return values[:, None, None, None]


def finish(volume: Tensor, changed: Tensor, severity: Tensor, context: Context, **parameters: Tensor) -> Degraded:
    """Return `changed` where the artefact acts and `volume`, bit for bit, where it does not.

    It does not act on volumes of severity 0 and on slices of weight 0; between 0 and 1 a slice is a blend.
    """
    weight = (severity > 0).to(volume.dtype)[:, None].expand(volume.shape[:2])
    if context.slice_weight is not None:
        weight = weight * context.slice_weight.to(volume)
    weight = weight[..., None, None]
    out = torch.where(weight > 0, torch.lerp(volume, changed, weight), volume)
    return Degraded(out, parameters)
