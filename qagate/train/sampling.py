"""Samples for the benchmark: degraded slabs of packed volumes with their quality by full-reference distance.

Two sources: "degrade" is the simulator of training, "simulator" the independent one. Contents, artefacts and strengths
follow from the seed alone. Slabs leave here as a scanner would store them: whole numbers, MR on a scale of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.score.preprocess import CT_BODY_HU, CT_RANGE_HU, MR_BODY, MR_RANGE
from qagate.train import labels, simulator
from qagate.train.data import CT_FIELD, MR_FIELD
from qagate.train.degrade import FAULTS, NAMELESS, REGISTRY
from qagate.train.degrade.artefact import Context
from qagate.train.pack import Packed
from qagate.train.pictures import volume

SLICES = 4
CT_LIMITS_HU = (-1000.0, 1000.0)
"""Grey range of the independent simulator's faults in CT."""
ALONE = frozenset({"slice_drop", "slice_duplicate", "slice_swap", "slice_motion", "slice_blank", "slab_average"})
"""Artefacts that need neighbours."""

Vary = Callable[[Packed, np.random.Generator], Packed]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One slab and the truth about it. quality: 0-100 by `labels`; distances: (slices,) of each slice.

    artefacts: name → strength 0..1 (empty: the slab as it was); affected: (slices,) bool for a slice-local artefact.
    """

    volume: Volume
    prompt: Prompt
    quality: float
    distances: npt.NDArray[np.float64]
    subject: str
    content: str
    organ: str
    vendor: str
    artefacts: Mapping[str, float] = field(default_factory=dict)
    affected: npt.NDArray[np.bool_] | None = None

    @property
    def modality(self) -> str:
        """ "CT" or "MR"."""
        return str(self.prompt.modality)


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """Neighbouring slices of a volume, float32 in standard units (HU; MR with brightest tissue 1), and their origin."""

    packed: Packed
    voxels: npt.NDArray[np.float32]
    gain: float


def slabs(
    contents: Sequence[Packed],
    count: int,
    random: np.random.Generator,
    slices: int = SLICES,
    vary: Vary | None = None,
) -> list[Slab]:
    """Return `count` slabs, turn by turn from each subject, both modalities alike. vary: changes each volume before."""
    subjects: dict[str, dict[str, list[Packed]]] = {}
    for packed in contents:
        subjects.setdefault(str(packed.prompt.modality), {}).setdefault(packed.subject, []).append(packed)
    found = []
    turns = {modality: list(random.permutation(sorted(names))) for modality, names in sorted(subjects.items())}
    for index in range(count):
        modality = sorted(turns)[index % len(turns)]
        names = turns[modality]
        volumes = subjects[modality][str(names[(index // len(turns)) % len(names)])]
        chosen = volumes[int(random.integers(len(volumes)))]
        found.append(slab(vary(chosen, random) if vary else chosen, random, slices))
    return found


def slab(packed: Packed, random: np.random.Generator, slices: int = SLICES) -> Slab:
    """Return neighbouring slices of the part of a volume with most body in it, as wide as training's fields."""
    ct = packed.prompt.modality == "CT"
    side = CT_FIELD if ct else MR_FIELD
    count = min(slices, len(packed.voxels))
    first = int(random.integers(len(packed.voxels) - count + 1))
    voxels = packed.voxels[first : first + count]
    tried = []
    for _ in range(4):
        row, column = (int(random.integers(max(1, n - side + 1))) for n in voxels.shape[1:])
        part = voxels[:, row : row + side, column : column + side]
        tried.append((float((part > (CT_BODY_HU if ct else MR_BODY)).mean()), row, column))
    _, row, column = max(tried)
    part = voxels[:, row : row + side, column : column + side]
    if ct:  # one size of CT field: one projection matrix
        missing = [(0, max(0, side - n)) for n in part.shape[1:]]
        part = np.pad(part, [(0, 0), *missing], constant_values=CT_RANGE_HU[0])
    return Slab(packed, np.ascontiguousarray(part, np.float32), float(np.exp(random.uniform(5.5, 7.5))))


def degraded(
    source: Slab, artefacts: Mapping[str, float], seed: int, *, independent: bool = False, affected: Any = None
) -> Sample:
    """Return the sample of a slab with artefacts of a strength. affected: (slices,) bool for slice-local ones."""
    packed, reference = source.packed, torch.from_numpy(source.voxels)[None]
    modality = str(packed.prompt.modality)
    spacing = torch.tensor([packed.spacing_mm])
    picture = reference
    for number, (name, strength) in enumerate(artefacts.items()):
        if independent:
            limits = CT_LIMITS_HU if modality == "CT" else (0.0, 1.0)
            random = np.random.default_rng((seed, number))
            done = simulator.degraded(picture[0].numpy(), name, strength, random, limits)
            picture = torch.from_numpy(done)[None]
            continue
        weight = None if affected is None else torch.from_numpy(affected.astype(np.float32))[None]
        generator = torch.Generator().manual_seed(seed + number)
        context = Context(modality, spacing, generator, weight)
        picture = FAULTS[name].apply(picture, torch.tensor([strength]).float(), context).volume
    picture = picture.nan_to_num(0.0).clamp(*(CT_RANGE_HU if modality == "CT" else MR_RANGE))
    by_slice = labels.slice_distance(reference, picture, modality, spacing)
    share = labels.body_mask(reference, modality).flatten(2).float().mean(2)
    quality = float(labels.quality(labels.pool_slices(by_slice, share))[0]) * 100.0
    gain = 1.0 if modality == "CT" else source.gain
    stored = np.round(picture[0].numpy() * gain).astype(np.int16)
    return Sample(
        volume(stored, packed.spacing_mm),
        packed.prompt,
        quality,
        by_slice[0].double().numpy(),
        packed.subject,
        packed.name,
        packed.organ,
        packed.vendor,
        dict(artefacts),
        affected,
    )


def names_for(modality: str, slices: int, *, independent: bool = False) -> list[str]:
    """Return the artefacts that a slab of so many slices can have."""
    if independent:
        return [name for name, (_, modalities) in simulator.FAULTS.items() if modality in modalities]
    return [n for n, a in REGISTRY.items() if modality in a.modalities and (slices > 1 or n not in ALONE)]


def samples(
    contents: Sequence[Packed],
    count: int,
    seed: int,
    *,
    independent: bool = False,
    without: frozenset[str] = frozenset(),
    only: frozenset[str] = frozenset(),
    nameless: bool = False,
    vary: Vary | None = None,
) -> Iterator[Sample]:
    """Yield `count` samples: one in ten untouched, one in four with two artefacts, the rest with one, by turns.

    `without` leaves artefacts out; `only` asks for these alone (slabs that cannot have any are passed over);
    `nameless` asks for nameless faults instead of artefacts, two in half of the samples.
    """
    random = np.random.default_rng(seed)
    turn = {"CT": int(random.integers(99)), "MR": int(random.integers(99))}
    made = 0
    for source in slabs(contents, count * 20 if only else count, random, vary=vary):
        modality = str(source.packed.prompt.modality)
        names = sorted(NAMELESS) if nameless else names_for(modality, len(source.voxels), independent=independent)
        names = [n for n in names if n not in without and (not only or n in only)]
        draw, second, strengths = random.random(), int(random.integers(99)), random.uniform(0.1, 1.0, 2)
        if not names:
            continue
        first = names[turn[modality] % len(names)]
        turn[modality] += 1
        if independent and modality == "CT":  # half of the wide range of HU is severe already
            strengths = strengths * 0.5
        artefacts = {first: float(strengths[0])}
        if draw < 0.1:
            artefacts = {}
        elif draw < (0.55 if nameless else 0.35) and len(names) > 1:
            other = [n for n in names if n != first]
            artefacts[other[second % len(other)]] = float(strengths[1])
        yield degraded(source, artefacts, int(random.integers(2**31)), independent=independent)
        made += 1
        if made == count:
            return


def local_samples(contents: Sequence[Packed], count: int, seed: int, slices: int = 8) -> Iterator[Sample]:
    """Yield samples of at least four slices of which some have a local artefact and the others do not."""
    random = np.random.default_rng(seed)
    thick = [packed for packed in contents if len(packed.voxels) >= 4]
    for index, source in enumerate(slabs(thick, count, random, slices)):
        modality = str(source.packed.prompt.modality)
        names = [n for n in names_for(modality, len(source.voxels)) if REGISTRY[n].local]
        affected = random.random(len(source.voxels)) < 0.4
        affected[int(random.integers(len(affected)))] = True
        affected[int(random.integers(len(affected)))] = False
        if affected.all() or not affected.any():
            continue
        strength = float(random.uniform(0.4, 1.0))
        yield degraded(source, {names[index % len(names)]: strength}, int(random.integers(2**31)), affected=affected)
