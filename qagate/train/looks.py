"""Looks: samples of the fit part of a pack as numbers, for the assessor to learn from, block by block on disk.

Samples are those of `sampling` (the simulator of training, never the independent one) of varied volumes (`variety`),
and stacks of CT shown as MR are among those of MR (`enlarged`). Each is looked at as it is, and some a second time as
they might also look without being better or worse (`another`): that teaches what must not count, and the rest what
does. After them come samples with nameless faults (`degrade.nameless`). What was looked at is not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from qagate.domain.assessment import ATTRIBUTES
from qagate.errors import InputError
from qagate.score import tiles
from qagate.score.preprocess import GREY_WINDOW_HU, apply_standard, beyond_window, standard_of
from qagate.train import sampling
from qagate.train.degrade import NAMELESS, REGISTRY
from qagate.train.guises import disguise
from qagate.train.pack import Packed, volumes
from qagate.train.sampling import Sample
from qagate.train.variety import enlarged, varied

BLOCK = 250
"""Samples that are drawn with one seed; the next block has the next seed."""
LOOKS, NAMELESS_SEED = 7000, 650_000
"""Difference of the seeds of looks, and of samples with nameless faults, from those of samples."""
SHARPER, SHARPER_PIXELS = (0.1, 0.5), (0.7, 1.3)
SHARPENED, IN_GUISE, EXPORTED = 0.7, 0.7, 0.25
"""How often another look is one of another kernel, in a guise, and (CT) through a window."""
EXPORT_CENTRES_HU, EXPORT_WIDTHS_HU, WIDE_WINDOW_HU = (0.0, 80.0), (300.0, 500.0), (-1000.0, 600.0)


Slices = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Looks at samples as numbers. features: (n, tiles.LENGTH); attributes: (n, 18) 0..1; quality: (n,) 0..1.

    Attributes are NaN where nothing is to be named. subject, modality: (n,) words; artefacts: (n,) names joined by "+";
    sample: (n,) number of the sample looked at, two looks at the same one follow each other.
    """

    features: npt.NDArray[np.float32]
    attributes: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    subject: npt.NDArray[np.str_]
    modality: npt.NDArray[np.str_]
    artefacts: npt.NDArray[np.str_]
    sample: npt.NDArray[np.intp]

    def some(self, chosen: npt.NDArray[np.bool_]) -> Table:
        """Return a part of the looks."""
        return Table(*(getattr(self, f.name)[chosen] for f in fields(Table)))

    def without(self, names: frozenset[str]) -> Table:
        """Return the looks at samples that have none of the artefacts."""
        return self.some(np.array([not names & set(said.split("+")) for said in self.artefacts], bool))

    def named(self) -> Table:
        """Return the looks at samples that have no nameless fault: the table itself when all are such."""
        taught = np.asarray(np.isfinite(self.attributes).all(1), bool)
        return self if taught.all() else self.some(taught)

    def plain(self) -> Table:
        """Return the samples as they are: the first looks."""
        return self.some(np.r_[True, self.sample[1:] != self.sample[:-1]])

    def with_features(self, features: npt.NDArray[np.float32]) -> Table:
        """Return the same looks described otherwise."""
        return replace(self, features=features)

    def save(self, path: Path) -> None:
        """Write the table, whole or not at all."""
        begun = path.with_suffix(".begun.npz")
        np.savez_compressed(begun, **{f.name: getattr(self, f.name) for f in fields(Table)})
        begun.replace(path)

    @classmethod
    def load(cls, path: Path) -> Table:
        """Return a table that was kept. Raises InputError when it is none of this version."""
        try:
            with np.load(path) as kept:
                found = cls(*(kept[f.name] for f in fields(cls)))
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{path} must be a table of looks; remove it to make it again, got {error}") from error
        if found.features.shape[1:] != (tiles.LENGTH,):
            raise InputError(
                f"{path} must hold {tiles.LENGTH} features; remove it to make it again, got {found.features.shape}"
            )
        return found


@dataclass(frozen=True, slots=True)
class Drawn:
    """Which samples are drawn: so many, the first `twice` of them (all if None) looked at twice, in whole blocks.

    nameless: so many more with nameless faults, every other block of them looked at twice. Seeds follow from `seed`.
    """

    samples: int
    seed: int = 0
    twice: int | None = None
    nameless: int = 0

    def blocks(self) -> list[tuple[int, int, bool, bool]]:
        """Return the seed of each block, its samples, whether it is looked at twice, and whether it is nameless."""
        named = [(number * BLOCK, self.samples) for number in range(-(-self.samples // BLOCK))]
        found = [
            (self.seed + start // BLOCK, min(BLOCK, whole - start), self.twice is None or start < self.twice, False)
            for start, whole in named
        ]
        return found + [
            (self.seed + NAMELESS_SEED + number, min(BLOCK, self.nameless - number * BLOCK), number % 2 == 0, True)
            for number in range(-(-self.nameless // BLOCK))
        ]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which looks it wants, and where they lie."""
    parser.add_argument("fit", type=Path, help="folder with looks, or where to keep them")
    parser.add_argument("--samples", type=int, default=9500)
    parser.add_argument("--twice", type=int, default=None, help="so many of them are looked at twice, whole blocks")
    parser.add_argument("--nameless", type=int, default=0, help="so many more samples with faults that have no name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that look at samples and fit")


def drawn(options: argparse.Namespace) -> Drawn:
    """Return what a command was told."""
    return Drawn(options.samples, options.seed, options.twice, options.nameless)


def looks(pack: Path, out: Path, wanted: Drawn, workers: int = 1) -> Iterator[Table]:
    """Yield tables of looks, block by block: what OUT/looks has, the rest made and kept there. Raises InputError."""
    folder = out / "looks"
    folder.mkdir(parents=True, exist_ok=True)
    made = partial(_block, pack, folder, wanted.seed)
    if workers < 2:
        yield from map(made, wanted.blocks())
        return
    with side_by_side(workers) as pool:
        yield from pool.map(made, wanted.blocks())


def _block(pack: Path, folder: Path, first: int, block: tuple[int, int, bool, bool]) -> Table:
    seed, count, again, nameless = block
    path, number = folder / f"{seed}.npz", seed - first
    if not path.exists():
        samples = sampling.samples(_contents(pack), count, seed, nameless=nameless, vary=varied)
        tabled(samples, number, number, again).save(path)
    table = Table.load(path)
    if len(np.unique(table.sample)) != count:
        raise InputError(f"{path} must hold {count} samples, got {len(np.unique(table.sample))}")
    return table


@lru_cache(maxsize=1)
def _contents(pack: Path) -> list[Packed]:
    return enlarged(list(volumes(pack, ("fit",))))


def tabled(samples: Iterable[Sample], seed: int, block: int = 0, again: bool = True) -> Table:
    """Return looks at each sample as numbers: as it is and, again, another. block: of the numbers of the samples."""
    generator = torch.Generator().manual_seed(LOOKS + seed)
    random = np.random.default_rng(LOOKS + seed)
    features, attributes, rest = [], [], []
    for number, sample in enumerate(samples):
        seen = [standard(sample)]
        if again:
            seen.append(another(seen[0], sample.modality, generator, random))
        features += [tiles.describe(look, sample.modality) for look in seen]
        row = np.zeros(len(ATTRIBUTES), np.float32)
        for name, strength in sample.artefacts.items():
            if name in NAMELESS:
                row[:] = np.nan
                continue
            taught = ATTRIBUTES.index(REGISTRY[name].attribute)
            row[taught] = max(row[taught], strength)
        attributes += [row] * len(seen)
        names = "+".join(sample.artefacts)
        rest += [(sample.quality / 100.0, sample.subject, sample.modality, names, block * BLOCK + number)] * len(seen)
    quality, subject, modality, artefacts, place = zip(*rest, strict=True)
    return Table(
        np.array(features), np.array(attributes), np.array(quality, np.float32), np.array(subject),
        np.array(modality), np.array(artefacts), np.array(place),
    )  # fmt: skip


def another(slab: Slices, modality: str, generator: torch.Generator, random: np.random.Generator) -> Slices:
    """Return a slab as it might also look: from a sharper kernel, in a guise, exported through a window and read again.

    The number of draws is always the same.
    """
    draw = random.random(3)
    sharp, window = random.uniform(size=2), random.uniform(size=3)
    if draw[0] < SHARPENED:
        slab = sharper(slab, *sharp)
    in_guise = disguised(slab, modality, generator)
    if draw[1] < IN_GUISE:
        slab = in_guise
    return exported(slab, *window) if modality == "CT" and draw[2] < EXPORTED else slab


def joined(tables: Sequence[Table]) -> Table:
    """Return several tables as one."""
    return Table(*(np.concatenate([getattr(table, f.name) for table in tables]) for f in fields(Table)))


def disguised(slab: Slices, modality: str, generator: torch.Generator) -> Slices:
    """Return a slab in standard units in a guise of training."""
    unused = torch.zeros(1, len(slab), 8, 8)
    found: Slices = disguise(torch.from_numpy(slab)[None], unused, modality, generator)[0][0].numpy()
    return found


def sharper(slab: Slices, amount: float, radius: float) -> Slices:
    """Return a slab as a sharper kernel shows it: 10 to 50 % of an unsharp mask of about 1 pixel. Both 0..1."""
    share, sigma = np.interp(amount, (0, 1), SHARPER), np.interp(radius, (0, 1), SHARPER_PIXELS)
    return np.asarray(slab + share * (slab - ndimage.gaussian_filter(slab, (0, sigma, sigma))), np.float32)


def exported(slab: Slices, wide: float, centre: float, width: float) -> Slices:
    """Return a CT slab that was exported in 256 greys of a window and read again as if it were the usual one.

    All 0..1. wide: below 0.15 the window holds everything from air to bone; else it is one of soft tissue.
    """
    middle, span = np.interp(centre, (0, 1), EXPORT_CENTRES_HU), np.interp(width, (0, 1), EXPORT_WIDTHS_HU)
    low, high = WIDE_WINDOW_HU if wide < 0.15 else (middle - span / 2, middle + span / 2)
    grey = np.round(np.clip((slab - low) / (high - low), 0.0, 1.0) * 255.0) / 255.0
    return beyond_window(np.asarray(np.interp(grey, (0, 1), GREY_WINDOW_HU), np.float32))


def standard(sample: Sample) -> Slices:
    """Return the slices of a sample in standard units."""
    voxels = sample.volume.voxels
    return apply_standard(voxels, standard_of(voxels, sample.modality))


def side_by_side(workers: int) -> ProcessPoolExecutor:
    """Return processes that each use one core."""
    return ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,))
