"""Assess: fit the assessor, perceptrons and trees on hand-made features, on samples of the fit part of a pack.

    python -m qagate.train assess PACK OUT_DIR [--samples 9500] [--twice N] [--nameless N] [--seed 0] [--workers 1]
        [--beside FOLDER]

What it learns from are `looks`, kept in OUT_DIR/looks. With --beside the judges of the assessor in another folder stay,
and those that learned from these looks sit beside them: new faults can be learned without drawing all old ones again.
`export` puts the fitted assessor into a bundle.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.errors import InputError
from qagate.score.assessor import BOOSTED, LAYERS, MODALITIES, NAMING, TREES, Arrays, Assessor, standardised
from qagate.train import boost, forest, looks, perceptron
from qagate.train.looks import Table, side_by_side

LEAST = 20
"""Fewest samples of a modality."""
BESIDE, TREES_BESIDE = 3, ("MR",)
"""So many new perceptrons sit beside old ones, and where new trees do: in CT they lose more than they win, ADR 0010."""


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


def main(arguments: list[str]) -> int:
    """Fit and write assessor.safetensors."""
    parser = argparse.ArgumentParser(prog="qagate train assess", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    looks.arguments(parser)
    parser.add_argument("--beside", type=Path, default=None, help="folder with an assessor whose judges stay")
    options = parser.parse_args(arguments)
    options.fit.mkdir(parents=True, exist_ok=True)
    before = None if options.beside is None else Assessor.load_from(options.beside)
    if options.beside is not None and before is None:
        raise InputError(f"--beside must be a folder with an assessor, got {options.beside}")
    tables = []
    seen = 0
    for table in looks.looks(options.pack, options.fit, looks.drawn(options), options.workers):
        tables.append(table)
        seen += len(np.unique(table.sample))
        print(f"{seen} samples", flush=True)
    digest = fit(looks.joined(tables), options.seed, workers=options.workers, before=before).save(options.fit)
    print(f"{options.fit}: assessor on {seen} samples, SHA-256 {digest}")
    return 0


def fit(
    table: Table, seed: int = 0, recipe: Recipe | None = None, workers: int = 1, before: Assessor | None = None
) -> Assessor:
    """Return the assessor of a table with both modalities. Raises InputError.

    before: an assessor whose judges stay beside the new ones.
    """
    tables = [table.some(table.modality == modality) for modality in MODALITIES]
    for modality, part in zip(MODALITIES, tables, strict=True):
        if len(part.quality) < LEAST:
            raise InputError(f"an assessor needs {LEAST} samples of {modality}, got {len(part.quality)}")
    one = partial(fit_modality, seed=seed, recipe=recipe or Recipe())
    others: list[Arrays | None] = [None if before is None else before.arrays[modality] for modality in MODALITIES]
    if workers < 2:
        return Assessor(dict(zip(MODALITIES, map(one, tables, others), strict=True)))
    with side_by_side(workers) as pool:
        return Assessor(dict(zip(MODALITIES, pool.map(one, tables, others), strict=True)))


def fit_modality(part: Table, before: Arrays | None, seed: int, recipe: Recipe) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of one modality. before: those of judges that stay, with what is usual of them."""
    x = part.features.astype(np.float64)
    centre = np.median(x, 0).astype(np.float32)
    low, high = np.percentile(x, (16, 84), axis=0)
    scale = (np.maximum((high - low) / 2, 0.1 * x.std(0)) + 1e-5).astype(np.float32)
    if before is not None:
        centre, scale = before["centre"], before["scale"]
    known = standardised(x, centre, scale)
    _, first, looks_of = np.unique(part.sample, return_index=True, return_counts=True)
    pairs = np.stack([first, first + looks_of - 1], 1)  # a sample looked at once is its own pair
    members = [
        perceptron.fit(pairs, known, part.quality, part.attributes, naming, seed * 100 + number)
        for number, naming in enumerate(recipe.naming if before is None else recipe.naming[:-NAMING][:BESIDE])
    ]
    found: dict[str, npt.NDArray[Any]] = {"centre": centre, "scale": scale}
    for place, name in enumerate(LAYERS):
        found[name] = np.stack([member[place] for member in members])
    if before is not None:
        found = _seated(before, found)
        if part.modality[0] not in TREES_BESIDE:
            return found | {name: before[name] for name in (*TREES, *BOOSTED)}
    others = np.setdiff1d(np.arange(len(known)), first)
    rows = np.concatenate([np.arange(len(known)), np.repeat(others, recipe.again)])
    known, quality = known[rows], part.quality[rows].astype(np.float64)
    groups = np.unique(part.subject[rows], return_inverse=True)[1]
    grown = recipe.grown if before is None else recipe.grown // 2  # a third of the say, beside as many old ones
    trees = forest.fit(known, quality, groups, trees=grown, leaf=recipe.leaf, seed=seed)
    boosted = boost.fit(known, quality, groups, recipe.boosted, seed)
    for kind, new in ((TREES, trees), (BOOSTED, boosted)):
        found |= _grove(before, kind, new)
    return found


def _seated(before: Arrays, new: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Return old and new perceptrons. The old ones name artefacts: they learned from more of them."""
    found: dict[str, npt.NDArray[Any]] = {"centre": before["centre"], "scale": before["scale"]}
    for name in LAYERS:
        found[name] = np.concatenate([before[name][:-NAMING], new[name], before[name][-NAMING:]])
    return found


def _grove(before: Arrays | None, kind: tuple[str, ...], new: forest.Trees) -> dict[str, npt.NDArray[Any]]:
    """Return trees, after all old ones: what they say is a mean over them. kind: names of the arrays."""
    parts = new.feature, new.threshold, new.left, new.value, new.root
    if before is None:
        return dict(zip(kind, parts, strict=True))
    old = [before[name] for name in kind]
    nodes = len(old[0])
    moved = (new.feature, new.threshold, np.where(new.feature >= 0, new.left + nodes, 0), new.value, new.root + nodes)
    return {
        name: np.concatenate([one, other]).astype(one.dtype) for name, one, other in zip(kind, old, moved, strict=True)
    }
