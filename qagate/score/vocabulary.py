"""Vocabulary: the words and acquisition values of a prompt as numbers for the network.

Index 0 of every word list is "unknown". A value that a tag does not give is 0 with presence 0, so that "not said" and
"average" are not the same. What training never saw is left out (`seen`): untrained weights must not speak.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from qagate.domain.prompt import KERNELS, MODALITIES, ORGANS, PLANES, REGIONS, SEQUENCES, Prompt

WORDS: dict[str, tuple[str, ...]] = {
    "modality": MODALITIES,
    "organ": ORGANS,
    "sequence": SEQUENCES,
    "kernel": KERNELS,
    "plane": PLANES,
    "contrast": ("no", "yes"),
}
"""Field → its words; their indices start at 1."""

VALUES: dict[str, tuple[bool, float, float]] = {
    "slice_spacing_mm": (True, 2.0, 1.0),
    "row_spacing_mm": (True, 0.8, 0.6),
    "column_spacing_mm": (True, 0.8, 0.6),
    "slice_count": (True, 30.0, 1.5),
    "slice_thickness_mm": (True, 2.5, 1.0),
    "kvp": (False, 120.0, 20.0),
    "exposure_mas": (True, 150.0, 1.0),
    "ctdi_vol_mgy": (True, 10.0, 1.0),
    "repetition_time_ms": (True, 2000.0, 1.5),
    "echo_time_ms": (True, 30.0, 1.2),
    "inversion_time_ms": (True, 900.0, 1.0),
    "flip_angle_degrees": (False, 45.0, 40.0),
    "echo_train_length": (True, 10.0, 1.2),
    "magnetic_field_strength_t": (False, 1.5, 1.0),
    "diffusion_b_value": (True, 500.0, 1.5),
}
"""Value → (on a logarithmic scale?, centre, width); width is in nepers where logarithmic."""


_BOTH = ("noise", "blur", "motion", "slice_gaps", "oversmoothing", "clipping", "compression")
ATTRIBUTES_OF: dict[str, tuple[str, ...]] = {
    "CT": (*_BOTH, "streak", "ring", "metal", "beam_hardening", "truncation"),
    "MR": (*_BOTH, "ghosting", "bias_field", "spike", "gibbs", "wrap", "undersampling"),
}
"""Modality → the artefacts that can be in its pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """A batch of prompts. words: (batch, 6) int64; regions: (batch, 10) 0/1; values, present: (batch, 15) float32."""

    words: Tensor
    regions: Tensor
    values: Tensor
    present: Tensor

    def to(self, device: torch.device | str) -> Prompts:
        """Return the same on a device."""
        return Prompts(self.words.to(device), self.regions.to(device), self.values.to(device), self.present.to(device))

    def repeat(self, count: int) -> Prompts:
        """Return the batch with every prompt `count` times, each next to its copies."""
        return Prompts(*(t.repeat_interleave(count, 0) for t in self._tensors()))

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, index: Any) -> Prompts:
        return Prompts(*(t[index] for t in self._tensors()))

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.words, self.regions, self.values, self.present


@dataclass(frozen=True, slots=True)
class Seen:
    """What training saw: "field:word" for words and regions, names for values. None of it is patient data."""

    words: frozenset[str]
    values: frozenset[str]

    @classmethod
    def everything(cls) -> Seen:
        """Return a vocabulary with nothing left out, for training itself."""
        words = {f"{name}:{word}" for name, listed in WORDS.items() for word in listed}
        return cls(frozenset(words | {f"region:{region}" for region in REGIONS}), frozenset(VALUES))


def encode(
    prompt: Prompt, spacing_mm: Sequence[float], slice_count: int, seen: Seen | None = None, spacing_known: bool = True
) -> Prompts:
    """Return a batch of one. spacing_mm: slice, row, column. Words outside the vocabulary become "unknown"."""
    seen = seen or Seen.everything()
    contrast = None if prompt.contrast is None else ("yes" if prompt.contrast else "no")
    said = {**{name: getattr(prompt, name) for name in WORDS if name != "contrast"}, "contrast": contrast}
    words = [
        WORDS[name].index(word) + 1 if word in WORDS[name] and f"{name}:{word}" in seen.words else 0
        for name, word in said.items()
    ]
    regions = [float(region in prompt.regions and f"region:{region}" in seen.words) for region in REGIONS]
    given: dict[str, float] = dict(prompt.acquisition.present())
    if spacing_known:
        given |= dict(zip(("slice_spacing_mm", "row_spacing_mm", "column_spacing_mm"), spacing_mm, strict=True))
    given["slice_count"] = float(slice_count)
    values, present = [], []
    for name, (logarithmic, centre, width) in VALUES.items():
        value = given.get(name)
        usable = name in seen.values and value is not None and math.isfinite(value) and (value > 0 or not logarithmic)
        number = 0.0
        if usable and value is not None:
            number = (math.log(value / centre) if logarithmic else value - centre) / width
        values.append(min(3.0, max(-3.0, number)))
        present.append(float(usable))
    return Prompts(
        torch.tensor([words], dtype=torch.int64),
        torch.tensor([regions], dtype=torch.float32),
        torch.tensor([values], dtype=torch.float32),
        torch.tensor([present], dtype=torch.float32),
    )


def stack(prompts: Sequence[Prompts]) -> Prompts:
    """Return several batches as one."""
    return Prompts(
        torch.cat([p.words for p in prompts]),
        torch.cat([p.regions for p in prompts]),
        torch.cat([p.values for p in prompts]),
        torch.cat([p.present for p in prompts]),
    )


def drop(prompts: Prompts, generator: torch.Generator, field: float = 0.3, whole: float = 0.1) -> Prompts:
    """Return prompts with every field forgotten with probability `field`, and all of them with probability `whole`.

    Modality is forgotten only with the whole: voxels are scaled by it, so that it is never unknown for long.
    """
    size = len(prompts)
    keep_all = torch.rand(size, 1, generator=generator) >= whole
    words = torch.rand(prompts.words.shape, generator=generator) >= field
    words[:, 0] = True
    regions = torch.rand(size, 1, generator=generator) >= field
    present = prompts.present * ((torch.rand(prompts.present.shape, generator=generator) >= field) & keep_all)
    return replace(
        prompts,
        words=prompts.words * (words & keep_all),
        regions=prompts.regions * (regions & keep_all),
        values=prompts.values * present,
        present=present,
    )
