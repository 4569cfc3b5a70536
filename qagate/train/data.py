"""Data: groups of pictures of one content, from clean to bad, and the ways to change a picture but not its quality.

A group is a slab of one varied volume (`variety`), plus the same slab with one artefact (or a mixture) at rising
levels. Labels are full-reference distances of the very crop the network sees. Group `index` is a pure function of the
seed and the index, so that training can be repeated and resumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import IterableDataset

from qagate.domain.assessment import ATTRIBUTES
from qagate.errors import InputError
from qagate.score.preprocess import CELL, CT_BODY_HU, CT_RANGE_HU, MR_BODY, MR_RANGE, channels, overview
from qagate.score.vocabulary import Prompts, drop, encode, stack
from qagate.train import labels
from qagate.train.degrade.artefact import Artefact, Context
from qagate.train.guises import disguise
from qagate.train.pack import Packed
from qagate.train.variety import AS_MR, varied

PATCH = 96
CT_FIELD, MR_FIELD = 176, 224
"""Side of the field in which artefacts are made, in pixels; larger pictures are cropped or shrunk to it."""
SLICES = 4
LEVELS = 4
KIND_WEIGHTS = {"CT": 1.0, "CT2d": 0.35, "MR": 1.0, "crop": 0.02, "phantom": 0.1, AS_MR: 0.15}

OFTEN = {
    "noise": 2.0, "blur": 1.3, "motion": 2.0, "ghosting": 2.0, "beam_hardening": 1.6, "truncation": 1.4, "metal": 1.4,
    "bias_field": 1.4, "oversmoothing": 0.6, "compression": 0.7, "slice_gaps": 0.7,
}  # fmt: skip
"""How often an attribute's artefacts are drawn, beside 1 for the others: what is common or hard to see comes more."""
FEWEST_SLICES = 2
THROUGH_PLANE = ("slab_average", "slice_drop", "slice_duplicate", "slice_swap")
"""These do nothing to a single slice."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One content, from clean to bad.

    crops: (places, levels + 1, slices, 96, 96) float16, level 0 untouched; fields: (levels + 1, slices, 64, 64);
    distances: (places, levels + 1); slice_distances: (places, levels + 1, slices); attributes: (levels + 1, 18) 0..1.
    content: index of the volume. spacing_mm and slice_count are those of the prompt.
    """

    modality: str
    packed: int
    crops: Tensor
    fields: Tensor
    distances: Tensor
    slice_distances: Tensor
    attributes: Tensor
    spacing_mm: tuple[float, float, float]
    slice_count: int
    artefacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step sees. n = groups x (levels + 2); the last of each group is one of its levels in another guise.

    pictures: (n, slices, 5, 96, 96); fields: (n, slices, 5, 64, 64); distances: (n,); slice_distances: (n, slices);
    attributes, known: (n, 18), known is 1 where the modality can have the artefact; group, content: (n,);
    single: (n,) bool, whether all slices are the same one; twin: (groups, 2) indices of samples that must get the same
    score.
    """

    pictures: Tensor
    fields: Tensor
    prompts: Prompts
    distances: Tensor
    slice_distances: Tensor
    attributes: Tensor
    known: Tensor
    group: Tensor
    content: Tensor
    single: Tensor
    twin: Tensor


class Groups(IterableDataset[Group]):
    """Groups `start`, `start` + 1, ... of a seed, made one after another."""

    def __init__(
        self,
        volumes: Sequence[Packed],
        registry: Mapping[str, Artefact],
        seed: int,
        start: int = 0,
        places: int = 2,
    ) -> None:
        if not volumes:
            raise InputError("training needs volumes in its part of the pack, got none")
        self.volumes, self.registry, self.seed, self.start, self.places = volumes, registry, seed, start, places
        modalities = sorted({str(v.prompt.modality) for v in volumes})
        self.by_modality = {m: _weights([v if v.prompt.modality == m else None for v in volumes]) for m in modalities}

    def __iter__(self) -> Iterator[Group]:
        index = self.start
        while True:
            yield self.make(index)
            index += 1

    def make(self, index: int) -> Group:
        """Return group `index`."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        modality = sorted(self.by_modality)[index % len(self.by_modality)]
        chosen = int(torch.multinomial(self.by_modality[modality], 1, generator=generator))
        packed = varied(self.volumes[chosen], np.random.default_rng(_seed(generator)))
        slab, spacing = _slab(packed, generator)
        names = [
            n
            for n, a in self.registry.items()
            if modality in a.modalities and (len(slab) > 1 or n not in THROUGH_PLANE)
        ]
        mixed = _chance(generator) < 0.3 and len(names) > 1
        often = torch.tensor([OFTEN.get(self.registry[n].attribute, 1.0) for n in names])
        picked = [names[int(i)] for i in torch.multinomial(often, 2 if mixed else 1, generator=generator)]
        levels = (torch.arange(LEVELS) + torch.rand(LEVELS, generator=generator)) / LEVELS
        if mixed:
            levels = levels * 0.8
        weight = None
        if slab.shape[0] > 1 and all(self.registry[n].local for n in picked) and _chance(generator) < 0.3:
            weight = (torch.rand(1, slab.shape[0], generator=generator) < 0.5).float()
            weight[0, int(torch.randint(slab.shape[0], (1,), generator=generator))] = 1.0
        pictures = [slab]
        attributes = torch.zeros(LEVELS + 1, len(ATTRIBUTES))
        seeds = [_seed(generator) for _ in picked]
        for number, level in enumerate(levels, start=1):
            picture = slab[None]
            for name, seed in zip(picked, seeds, strict=True):
                artefact = self.registry[name]
                severity = level.reshape(1).float()
                context = Context(modality, torch.tensor([spacing]), torch.Generator().manual_seed(seed), weight)
                picture = artefact.apply(picture, severity, context).volume
                place = ATTRIBUTES.index(artefact.attribute)
                attributes[number, place] = torch.maximum(attributes[number, place], severity[0])
            limits = CT_RANGE_HU if modality == "CT" else MR_RANGE
            pictures.append(picture[0].nan_to_num(0.0).clamp(*limits))
        stacked = torch.stack(pictures)  # (levels + 1, s, h, w)
        crops = torch.stack(
            [stacked[..., r : r + PATCH, c : c + PATCH] for r, c in _places(slab, modality, self.places, generator)]
        )
        spacings = torch.tensor([spacing]).expand(LEVELS + 1, 3)
        distances, slice_distances = [], []
        for crop in crops:
            worse = labels.slice_distance(crop[:1].expand_as(crop)[1:], crop[1:], modality, spacings[1:])
            by_slice = torch.cat([torch.zeros(1, crop.shape[1]), worse])
            share = labels.body_mask(crop[:1], modality).flatten(2).float().mean(2)
            distances.append(labels.pool_slices(by_slice, share.expand_as(by_slice)))
            slice_distances.append(by_slice)
        return Group(
            modality,
            chosen,
            crops.half(),
            overview(stacked).half(),
            torch.stack(distances),
            torch.stack(slice_distances),
            attributes,
            spacing,
            len(packed.voxels) if len(packed.voxels) == 1 else int(_log_uniform(generator, 8, 300)),
            tuple(picked),
        )


def batch(
    groups: Sequence[Group],
    volumes: Sequence[Packed],
    registry: Mapping[str, Artefact],
    generator: torch.Generator,
    nuisance: bool = True,
    dropout: bool = True,
    levels: int = LEVELS,
    slices: int = SLICES,
) -> Batch:
    """Return one place of each group as a batch, each picture in its own guise.

    levels: so many of each group's, drawn by chance, beside the untouched one. slices: so many neighbours of each slab.
    """
    pictures, fields, prompts, rows = [], [], [], []
    known = []
    for number, group in enumerate(groups):
        place = int(torch.randint(len(group.crops), (1,), generator=generator))
        chosen = (torch.randperm(LEVELS, generator=generator)[:levels] + 1).sort().values.tolist()
        again = int(torch.randint(1, levels + 1, (1,), generator=generator))
        order = torch.tensor([0, *chosen, chosen[again - 1]])
        single = group.crops.shape[2] == 1
        count = min(slices, group.crops.shape[2])
        first = int(torch.randint(group.crops.shape[2] - count + 1, (1,), generator=generator))
        part = slice(first, first + count)
        crops, field = group.crops[place, order, part].float(), group.fields[order, part].float()
        by_slice, distances = group.slice_distances[place, order, part], group.distances[place, order]
        if count < group.crops.shape[2]:
            distances = labels.pool_slices(by_slice)
        spacing = group.spacing_mm
        if nuisance:
            crops, field = disguise(crops, field, group.modality, generator)
            jitter = torch.exp(0.15 * (2 * torch.rand(3, generator=generator) - 1)).tolist()
            spacing = (spacing[0] * jitter[0], spacing[1] * jitter[1], spacing[2] * jitter[1])
        prompt = volumes[group.packed].prompt
        if dropout and _chance(generator) < 0.35:  # the task window follows the region, so it is forgotten as a whole
            prompt = replace(prompt, regions=(), organ=None)
        coded = encode(prompt, spacing, group.slice_count).repeat(len(order))
        prompts.append(drop(coded, generator) if dropout else coded)
        seen = channels(crops, group.modality, prompt.regions), channels(field, group.modality, prompt.regions)
        if single:  # a slab of one slice is the same as its slice several times
            seen = seen[0].expand(-1, slices, -1, -1, -1), seen[1].expand(-1, slices, -1, -1, -1)
        pictures.append(seen[0])
        fields.append(seen[1])
        rows.append(
            (
                distances,
                by_slice.expand(-1, slices),
                _visible(group.attributes[order], distances),
                torch.full((len(order),), number),
                torch.full((len(order),), group.packed),
                torch.full((len(order),), single),
                torch.tensor([[again, levels + 1]]) + number * len(order),
            )
        )
        possible = {a.attribute for a in registry.values() if group.modality in a.modalities}
        known.append(torch.tensor([[float(a in possible) for a in ATTRIBUTES]]).expand(len(order), -1))
    joined = [torch.cat(column) for column in zip(*rows, strict=True)]
    return Batch(
        torch.cat(pictures), torch.cat(fields), stack(prompts), joined[0], joined[1], joined[2], torch.cat(known),
        joined[3], joined[4], joined[5], joined[6],
    )  # fmt: skip


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**31, (1,), generator=generator))


def _visible(attributes: Tensor, distances: Tensor) -> Tensor:
    """An artefact that changed nothing in this crop is not there."""
    return attributes * (distances / (distances + 0.004))[:, None]


def _weights(volumes: Sequence[Packed | None]) -> Tensor:
    """Each subject counts the same within its kind, however many volumes it gave."""
    counts: dict[str, int] = {}
    for volume in volumes:
        if volume is not None:
            counts[volume.subject] = counts.get(volume.subject, 0) + 1
    return torch.tensor([0.0 if v is None else KIND_WEIGHTS[v.kind] / math.sqrt(counts[v.subject]) for v in volumes])


def _slab(packed: Packed, generator: torch.Generator) -> tuple[Tensor, tuple[float, float, float]]:
    """Return up to four neighbouring slices of a field, and its spacing."""
    count = min(SLICES, len(packed.voxels))
    first = int(torch.randint(len(packed.voxels) - count + 1, (1,), generator=generator))
    slab = torch.from_numpy(np.ascontiguousarray(packed.voxels[first : first + count]))
    side = CT_FIELD if packed.prompt.modality == "CT" else MR_FIELD
    spacing = packed.spacing_mm
    shrink = max(slab.shape[-2:]) / side
    if shrink > 1.15 and _chance(generator) < 0.4:
        size = [max(8, round(n / shrink)) for n in slab.shape[-2:]]
        slab = F.interpolate(slab[None], size, mode="area")[0]
        spacing = (spacing[0], spacing[1] * shrink, spacing[2] * shrink)
    low = CT_RANGE_HU[0] if packed.prompt.modality == "CT" else 0.0
    least = side if packed.prompt.modality == "CT" else PATCH  # one size of CT field: one projection matrix
    missing = [max(0, least - n) for n in slab.shape[-2:]]
    if any(missing):
        top, left = missing[0] // 2, missing[1] // 2
        slab = F.pad(slab, (left, missing[1] - left, top, missing[0] - top), value=low)
    rows, columns = (int(torch.randint(max(1, n - side + 1), (1,), generator=generator)) for n in slab.shape[-2:])
    limit = CT_BODY_HU if packed.prompt.modality == "CT" else MR_BODY
    best = slab[:, rows : rows + side, columns : columns + side]
    for _ in range(4):  # a field that is mostly air teaches little
        if float((best > limit).float().mean()) > 0.3:
            break
        rows, columns = (int(torch.randint(max(1, n - side + 1), (1,), generator=generator)) for n in slab.shape[-2:])
        best = slab[:, rows : rows + side, columns : columns + side]
    return best.contiguous(), spacing


def _places(slab: Tensor, modality: str, count: int, generator: torch.Generator) -> list[tuple[int, int]]:
    """Return (row, column) of crops with body in them."""
    limit = CT_BODY_HU if modality == "CT" else MR_BODY
    found: list[tuple[int, int]] = []
    rows, columns = slab.shape[-2] - PATCH + 1, slab.shape[-1] - PATCH + 1
    for _ in range(count):
        tried = []
        for _ in range(5):
            r, c = (int(torch.randint(n, (1,), generator=generator)) for n in (rows, columns))
            share = float((slab[:, r : r + PATCH, c : c + PATCH] > limit).float().mean())
            tried.append((share, r, c))
            if share > 0.4:
                break
        _, r, c = max(tried)
        found.append((r, c))
    return found


def _chance(generator: torch.Generator) -> float:
    return float(torch.rand(1, generator=generator))


def _log_uniform(generator: torch.Generator, low: float, high: float) -> float:
    return float(low * (high / low) ** _chance(generator))


assert PATCH % CELL == 0
