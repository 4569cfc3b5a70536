"""Members: what a fine-tuned head is made of, how its parts are fitted and weighed (`score.head` evaluates it).

Gaussian processes and forests of extremely randomised trees, each on some of the features. Whole groups (contents,
subjects) are left out to learn what each is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.score.head import Head, HeadRecipe, gaussian, standardised
from qagate.train import forest
from qagate.train import gaussian as process
from qagate.train.described import Features, Labelled, Parts

COVERED = 0.9
TREES, HONEST_TREES = 160, 50
"""Trees of a forest, and of one that only says how good it is."""


Used = tuple[bool, ...]
"""Which parts of the features are looked at: network, hand-made, assessor, eye."""


class Kind(StrEnum):
    """What a member of a head is."""

    PROCESS = "process"
    FOREST = "forest"


@dataclass(frozen=True, slots=True)
class Member:
    """One of the fitted members of a head. used: the parts of the features it sees; prior: its weight among equals."""

    kind: Kind
    used: Used
    prior: float


MEMBERS = (
    Member(Kind.PROCESS, (False, True, False, False), 0.5),
    Member(Kind.PROCESS, (False, False, False, True), 2.0),
    Member(Kind.FOREST, (False, True, True, False), 2.0),
    Member(Kind.FOREST, (False, True, False, False), 2.0),
)
"""Chosen on the six sets of `trial`, where processes on all parts and boosted trees beside these gained nothing."""
HONEST_FOLDS = 4
"""Fits without a quarter of the groups each, that only say how good a member is."""
SHARPNESS = 3.0
"""How fast the weight of a member falls with its squared error on groups left out, in units of the labels' variance.
Not faster: with few groups that error says little of the next one, and equal weights are safer than the best member."""
LEAST_SPREAD, SURE_SLOPE = 0.05, 0.5
"""Predictions are shrunk where labels follow them by less than half on groups left out: how much they do follow is told
badly by few groups, and within a new group order may hold where its level does not."""


def fit_head(
    data: Labelled, *, worst_label: float | None = None, best_label: float | None = None, seed: int = 0
) -> Head:
    """Return the head fitted on all items. worst_label and best_label become 0 and 100; None takes the labels' ends."""
    x, y, groups, parts = data.features, data.labels, data.groups, data.parts
    centre = np.median(x, axis=0).astype(np.float32)
    scale = np.maximum(x.std(axis=0), 1e-6).astype(np.float32)
    z = standardised(x, centre, scale)
    mean, spread = float(y.mean()), float(y.std()) or 1.0
    target = (y - mean) / spread
    members = _members(parts)
    processes: list[process.Process] = []
    grown: list[forest.Trees] = []
    said = []
    for member in members:
        columns = process.columns_of(parts, member.used)
        if member.kind is Kind.PROCESS:
            fitted, honest = _process(z, target, groups, parts, member.used, seed)
            processes.append(fitted)
            said.append(honest)
        else:
            trees, honest = _forest(z, target, groups, columns, seed)
            grown.append(trees)
            said.append(honest)
    honest_parts = np.array(said)  # (members, items)
    weights = blend(honest_parts, target, np.array([member.prior for member in members]))
    honest = weights @ honest_parts
    slope = float(honest @ target / max(float(honest @ honest), 1e-12))
    shrink = float(np.clip(slope / SURE_SLOPE, LEAST_SPREAD, 1.0))
    honest = shrink * honest
    recipe = HeadRecipe(
        network_features=parts[0],
        handcrafted_features=parts[1],
        assessor_features=parts[2],
        eye_features=parts[3],
        mean=mean,
        spread=spread * shrink,
        worst=float(y.min()) if worst_label is None else worst_label,
        best=float(y.max()) if best_label is None else best_label,
        half_width=float(np.quantile(np.abs(honest - target), COVERED)) * spread,
        labels=len(y),
    )
    arrays = {
        "centre": centre,
        "scale": scale,
        "kernel_weights": np.stack([p.weights for p in processes]),
        "kernel_lengths": np.stack([p.lengths for p in processes]),
        "support": z[processes[0].chosen],
        "dual": np.stack([p.dual * np.float32(w) for p, w in zip(processes, weights, strict=False)]),
        **joined(grown, weights[len(processes) :]),
    }
    return Head(recipe, arrays)


def _members(parts: Parts) -> list[Member]:
    """Return the members, processes first, each seeing something else than those before: parts may be missing."""
    found: dict[tuple[Kind, tuple[bool, ...]], Member] = {}
    for member in sorted(MEMBERS, key=lambda one: one.kind is not Kind.PROCESS):
        used = tuple(u and n > 0 for u, n in zip(member.used, parts, strict=True))
        if any(used):
            found.setdefault((member.kind, used), member)
    return list(found.values())


def blend(
    honest: npt.NDArray[np.float64], target: npt.NDArray[np.float64], prior: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return (members,) weights, sum 1: the prior ones, and less for those with larger errors on groups left out.

    honest: (members, items); target: (items,), mean 0 and SD 1. Weights of least error are no better than equal ones
    with some ten or twenty groups; what matters is that a member that explains nothing has little say.
    """
    error = ((honest - target) ** 2).mean(1)
    weights = prior * np.exp(-SHARPNESS * (error - error.min()))
    found: npt.NDArray[np.float64] = weights / weights.sum()
    return found


def _process(
    z: Features, target: npt.NDArray[np.float64], groups: npt.NDArray[np.intp], parts: Parts, used: Used, seed: int
) -> tuple[process.Process, npt.NDArray[np.float64]]:
    """Return a process of all items, and (items,) predictions of some fitted without the item's group.

    A process knows its own error on groups left out, but its settings were chosen by it: with few groups it flatters.
    """
    whole, honest = process.fit_parts(z, target, groups, parts, used, seed=seed), np.zeros(len(groups))
    folds = folds_of(groups, HONEST_FOLDS, seed)
    for out in (folds == fold for fold in range(folds.max() + 1)):
        if out.all():  # there is no other group: nothing is known but the mean
            continue
        rest, numbers = z[~out], np.unique(groups[~out], return_inverse=True)[1]
        one = process.fit_parts(rest, target[~out], numbers, parts, used, seed=seed)
        honest[out] = gaussian(z[out], parts, one.weights, one.lengths, rest[one.chosen], one.dual)
    return whole, honest


def _forest(
    z: Features, target: npt.NDArray[np.float64], groups: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], seed: int
) -> tuple[forest.Trees, npt.NDArray[np.float64]]:
    """Return a forest of all items, and (items,) predictions of fewer trees that never saw the item's group."""
    how: dict[str, Any] = {"columns": columns, "leaf": 1, "tried": 1.0}
    honest = forest.fit(z, target, groups, trees=HONEST_TREES, seed=seed, share=0.8, **how).out_of_group
    return forest.fit(z, target, groups, trees=TREES, seed=seed + 1, share=1.0, **how), honest


def joined(forests: Sequence[forest.Trees], weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[Any]]:
    """Return forests as one whose mean over trees is their weighted sum."""
    starts = np.cumsum([0, *(len(f.feature) for f in forests[:-1])])
    count = sum(len(f.root) for f in forests)
    share = [w * count / len(f.root) for f, w in zip(forests, weights, strict=True)]
    return {
        "tree_feature": np.concatenate([f.feature for f in forests]),
        "tree_threshold": np.concatenate([f.threshold for f in forests]),
        "tree_left": np.concatenate([f.left + n for f, n in zip(forests, starts, strict=True)]).astype(np.int32),
        "tree_value": np.concatenate([f.value * w for f, w in zip(forests, share, strict=True)]).astype(np.float32),
        "tree_root": np.concatenate([f.root + n for f, n in zip(forests, starts, strict=True)]).astype(np.int32),
    }


def folds_of(groups: npt.NDArray[np.intp], folds: int, seed: int = 0) -> npt.NDArray[np.intp]:
    """Return (items,) fold numbers: whole groups, dealt large ones first so that folds are of like size."""
    names, sizes = np.unique(groups, return_counts=True)
    count = min(folds, len(names))
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled, chosen = np.zeros(count, int), np.zeros(len(names), int)
    for name in order:
        chosen[name] = int(filled.argmin())
        filled[chosen[name]] += sizes[name]
    found: npt.NDArray[np.intp] = chosen[np.searchsorted(names, groups)]
    return found
