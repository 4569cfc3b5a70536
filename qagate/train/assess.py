"""Assess: fit the assessor, perceptrons and trees on hand-made features, on samples of the fit part of a pack.

    python -m qagate.train assess PACK OUT_DIR [--samples 9500] [--twice N] [--seed 0] [--workers 1]

Samples are those of `sampling` (the simulator of training, never the independent one) of varied volumes (`variety`),
and stacks of CT shown as MR are among those of MR (`enlarged`). Each is looked at as it is, and the first N (all, if
not said) a second time as they might also look without being better or worse (`another`): that teaches what must not
count, and the rest what does. What was looked at is kept in OUT_DIR/looks, block by block, and is not made again.
`export` puts the fitted assessor into a bundle.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from qagate.domain.assessment import ATTRIBUTES
from qagate.errors import InputError
from qagate.score import tiles
from qagate.score.assessor import BOOSTED, LAYERS, MODALITIES, TREES, Assessor, standardised
from qagate.score.preprocess import GREY_WINDOW_HU, apply_standard, beyond_window, standard_of
from qagate.train import boost, forest, perceptron, sampling
from qagate.train.degrade import REGISTRY
from qagate.train.guises import disguise
from qagate.train.pack import Packed, volumes
from qagate.train.sampling import Sample
from qagate.train.variety import enlarged, varied

BLOCK = 250
"""Samples that are drawn with one seed; the next block has the next seed."""
LOOKS = 7000
"""Difference of the seeds of looks from those of samples."""
SHARPER, SHARPER_PIXELS = (0.1, 0.5), (0.7, 1.3)
SHARPENED, IN_GUISE, EXPORTED = 0.7, 0.7, 0.25
"""How often another look is one of another kernel, in a guise, and (CT) through a window."""
EXPORT_CENTRES_HU, EXPORT_WIDTHS_HU, WIDE_WINDOW_HU = (0.0, 80.0), (300.0, 500.0), (-1000.0, 600.0)
LEAST = 20
"""Fewest samples of a modality."""


Slices = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an assessor is fitted.

    naming: for each perceptron how much naming artefacts counts; the last ones do nothing else, see `assessor.NAMING`.
    grown, leaf: trees of the forest and fewest items in a leaf.
    again: how many times more than a first look another look counts for trees, which know nothing of pairs.
    """

    naming: tuple[float, ...] = (0.7, 0.7, 0.7, 0.7, 0.7, 4.0, 4.0)
    grown: int = 120
    leaf: int = 10
    boosted: boost.Recipe = field(default_factory=boost.Recipe)
    again: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Looks at samples as numbers. features: (n, tiles.LENGTH); attributes: (n, 18) 0..1; quality: (n,) 0..1.

    subject, modality: (n,) words; artefacts: (n,) names joined by "+"; sample: (n,) number of the sample looked at,
    two looks at the same one follow each other.
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


def main(arguments: list[str]) -> int:
    """Fit and write assessor.safetensors."""
    parser = argparse.ArgumentParser(prog="qagate train assess", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path, help="folder of fit, beside its checkpoints")
    parser.add_argument("--samples", type=int, default=9500)
    parser.add_argument("--twice", type=int, default=None, help="so many of them are looked at twice, whole blocks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that look at samples and fit")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    tables = []
    found = looks(options.pack, options.out, options.samples, options.seed, options.twice, options.workers)
    for number, table in enumerate(found):
        tables.append(table)
        print(f"{min((number + 1) * BLOCK, options.samples)} samples", flush=True)
    digest = fit(joined(tables), options.seed, workers=options.workers).save(options.out)
    print(f"{options.out}: assessor on {options.samples} samples, SHA-256 {digest}")
    return 0


def looks(
    pack: Path, out: Path, samples: int, seed: int, twice: int | None = None, workers: int = 1
) -> Iterator[Table]:
    """Yield tables of looks, block by block: what OUT/looks has, the rest made and kept there.

    twice: samples of which there is another look, all if not given. Raises InputError.
    """
    folder = out / "looks"
    folder.mkdir(parents=True, exist_ok=True)
    made = partial(_block, pack, folder, seed, samples, samples if twice is None else twice)
    numbers = range(-(-samples // BLOCK))
    if workers < 2:
        yield from map(made, numbers)
        return
    with side_by_side(workers) as pool:
        yield from pool.map(made, numbers)


def _block(pack: Path, folder: Path, seed: int, samples: int, twice: int, number: int) -> Table:
    count, path = min(BLOCK, samples - number * BLOCK), folder / f"{seed + number}.npz"
    if not path.exists():
        drawn = sampling.samples(_contents(pack), count, seed + number, vary=varied)
        tabled(drawn, number, number, again=number * BLOCK < twice).save(path)
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


def fit(table: Table, seed: int = 0, recipe: Recipe | None = None, workers: int = 1) -> Assessor:
    """Return the assessor of a table with both modalities. Raises InputError."""
    tables = [table.some(table.modality == modality) for modality in MODALITIES]
    for modality, part in zip(MODALITIES, tables, strict=True):
        if len(part.quality) < LEAST:
            raise InputError(f"an assessor needs {LEAST} samples of {modality}, got {len(part.quality)}")
    one = partial(fit_modality, seed=seed, recipe=recipe or Recipe())
    if workers < 2:
        return Assessor(dict(zip(MODALITIES, map(one, tables), strict=True)))
    with side_by_side(workers) as pool:
        return Assessor(dict(zip(MODALITIES, pool.map(one, tables), strict=True)))


def side_by_side(workers: int) -> ProcessPoolExecutor:
    """Return processes that each use one core."""
    return ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,))


def fit_modality(part: Table, seed: int, recipe: Recipe) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of one modality."""
    x = part.features.astype(np.float64)
    centre = np.median(x, 0)
    low, high = np.percentile(x, (16, 84), axis=0)
    scale = np.maximum((high - low) / 2, 0.1 * x.std(0)) + 1e-5
    known = standardised(x, centre.astype(np.float32), scale.astype(np.float32))
    _, first, looks_of = np.unique(part.sample, return_index=True, return_counts=True)
    pairs = np.stack([first, first + looks_of - 1], 1)  # a sample looked at once is its own pair
    members = [
        perceptron.fit(pairs, known, part.quality, part.attributes, naming, seed * 100 + number)
        for number, naming in enumerate(recipe.naming)
    ]
    found: dict[str, npt.NDArray[Any]] = {"centre": centre.astype(np.float32), "scale": scale.astype(np.float32)}
    for place, name in enumerate(LAYERS):
        found[name] = np.stack([member[place] for member in members])
    others = np.setdiff1d(np.arange(len(known)), first)
    rows = np.concatenate([np.arange(len(known)), np.repeat(others, recipe.again)])
    known, quality = known[rows], part.quality[rows].astype(np.float64)
    groups = np.unique(part.subject[rows], return_inverse=True)[1]
    trees = forest.fit(known, quality, groups, trees=recipe.grown, leaf=recipe.leaf, seed=seed)
    boosted = boost.fit(known, quality, groups, recipe.boosted, seed)
    for name in TREES:
        found[name] = getattr(trees, name.removeprefix("tree_"))
    for name in BOOSTED:
        found[name] = getattr(boosted, name.removeprefix("boosted_"))
    return found
