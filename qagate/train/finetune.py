"""Finetune: adapt a bundle to human scores, and say by cross-validation what that is worth.

    python -m qagate.train finetune --index labels.csv --out DIR [--model DIR] [--folds 10] [--json]

The network stays as it is. On its features and the hand-made ones a head is fitted (`score.head`): a Gaussian process
and a forest, each with and without the network's features, weighed by their errors on groups left out. Folds never part
a group. The new bundle holds the head fitted on everything; its scores run from 0 (the worst label, or --worst) to 100
(the best label, or --best). Intervals, counts and problems of rows lie beside it in finetune.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import optimize

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import InputError, QagateError
from qagate.score import handcrafted
from qagate.score.head import Head, HeadRecipe, standardised
from qagate.train import bootstrap, forest, metrics
from qagate.train import gaussian as process
from qagate.train.evaluate import FIGURES, add_arguments, say, worst
from qagate.train.pictures import Reader, pictures, read_index

SCHEMA = "qagate.finetune/1"
FOLDS = 10
FEWEST = 10
COVERED = 0.9
SHEET = "finetune.json"
PRINTED = ("srcc", "plcc", "krocc", "rmse", "rmse_sd", "n")
"""What --json prints, in this order."""
AGAINST = -0.3
"""Rank correlation of labels with the network's own score from which labels seem to fall with quality."""
CAUTIOUS = (0.0, 0.5, 0.0, 0.5)
"""Weights of process and forest, each with and without the network's features, that are mixed half and half with those
of least error: with few groups, errors on groups left out flatter what can tell contents apart."""

Features = npt.NDArray[np.float32]


class Describes(Protocol):
    """What fine-tuning needs of a scorer."""

    def features(self, volume: Volume, prompt: Prompt) -> npt.NDArray[np.float64]:
        """Return the network's features of one volume, (c,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Images as features. network: (items, c); handmade: (items, 112); labels, groups: (items,), groups from 0."""

    network: Features
    handmade: Features
    labels: npt.NDArray[np.float64]
    groups: npt.NDArray[np.intp]
    names: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def zero_shot(self) -> npt.NDArray[np.float64]:
        """What the network says by itself, (items,), 0..1 and higher is better: the last but one of its features."""
        found: npt.NDArray[np.float64] = self.network[:, -2].astype(np.float64)
        return found

    @property
    def features(self) -> Features:
        """Both parts side by side, (items, c + 112)."""
        return np.concatenate([self.network, self.handmade], axis=1)


def describe(
    index: Path,
    scorer: Describes,
    *,
    reader: Reader | None = None,
    modality: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Labelled:
    """Return the features of every usable image of an index. Raises InputError when there are fewer than ten."""
    rows, problems = read_index(index, modality)
    network, handmade, kept = [], [], []
    for picture in pictures(rows, problems, reader):
        try:
            found = scorer.features(picture.volume, picture.prompt)
        except QagateError as error:
            problems.append(f"line {picture.row.line}: {error}")
            continue
        network.append(found)
        handmade.append(handcrafted.features(picture.volume.voxels, picture.prompt.modality, more=True))
        kept.append(picture.row)
        if progress:
            progress(len(kept), len(rows))
    if len(kept) < FEWEST:
        raise InputError(f"{index} must have at least {FEWEST} usable rows, got {len(kept)}{worst(problems)}")
    labels = np.array([row.score for row in kept])
    if np.ptp(labels) == 0:
        raise InputError(f"{index} must have scores that differ, got {labels[0]:g} everywhere")
    _, groups = np.unique([row.group for row in kept], return_inverse=True)
    return Labelled(
        np.array(network, np.float32),
        np.array(handmade, np.float32),
        labels,
        groups,
        tuple(str(row.path) for row in kept),
        tuple(problems),
    )


def fit_head(
    data: Labelled, *, worst_label: float | None = None, best_label: float | None = None, seed: int = 0
) -> Head:
    """Return the head fitted on all items. worst_label and best_label become 0 and 100; None takes the labels' ends."""
    x, y, groups = data.features, data.labels, data.groups
    parts = (data.network.shape[1], data.handmade.shape[1])
    centre = np.median(x, axis=0).astype(np.float32)
    scale = np.maximum(x.std(axis=0), 1e-6).astype(np.float32)
    z = standardised(x, centre, scale)
    mean, spread = float(y.mean()), float(y.std()) or 1.0
    target = (y - mean) / spread
    processes = (
        process.fit(z, target, groups, parts, seed=seed),
        process.without_first(z, target, groups, parts, seed=seed),
    )
    forests = (
        forest.fit(z, target, groups, seed=seed),
        forest.fit(z, target, groups, seed=seed, first=parts[0]),
    )
    honest_parts = np.array([part.out_of_group for part in (*processes, *forests)])  # (4, items)
    weights = 0.5 * np.array(CAUTIOUS) + 0.5 * optimize.nnls(honest_parts.T, target)[0]
    honest = weights @ honest_parts
    # where little can be learned, predictions must stay near the mean
    shrink = float(np.clip(honest @ target / max(float(honest @ honest), 1e-12), 0.05, 1.0))
    honest = shrink * honest
    recipe = HeadRecipe(
        network_features=parts[0],
        handcrafted_features=parts[1],
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
        "support": processes[0].support,
        "dual": np.stack([p.dual * np.float32(w) for p, w in zip(processes, weights[:2], strict=True)]),
        **_joined(forests, weights[2:]),
    }
    return Head(recipe, arrays)


def _joined(forests: tuple[forest.Forest, ...], weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[Any]]:
    """Return forests of like size as one whose mean over trees is their weighted sum."""
    starts = np.cumsum([0, *(len(f.feature) for f in forests[:-1])])
    share = len(forests) * weights
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


def cross_validate(
    data: Labelled, folds: int = FOLDS, *, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> npt.NDArray[np.float64]:
    """Return (items,) predictions, each by a head fitted without the item's fold. Raises InputError with one group."""
    if len(np.unique(data.groups)) < 2:
        raise InputError("cross-validation needs at least two groups; leave the column group out to part rows, got 1")
    numbers = folds_of(data.groups, folds, seed)
    predicted = np.zeros(len(data.labels))
    for fold in range(numbers.max() + 1):
        out = numbers == fold
        _, groups = np.unique(data.groups[~out], return_inverse=True)
        part = Labelled(data.network[~out], data.handmade[~out], data.labels[~out], groups, ())
        predicted[out] = fit_head(part, seed=seed).predict(data.features[out])
        if progress:
            progress(fold + 1, int(numbers.max()) + 1)
    return predicted


def write_bundle(model: Path, out: Path, head: Head, figures: dict[str, float | int]) -> None:
    """Write the bundle `model` with a head to `out`. Raises InputError when `out` has a bundle."""
    from qagate.score import assessor, bundle

    if out.resolve() == model.resolve() or (out / bundle.SHEET).exists():
        raise InputError(f"--out must be a new folder, got {out}, which holds a bundle")
    out.mkdir(parents=True, exist_ok=True)
    for name in (bundle.WEIGHTS, assessor.FILE):
        if (model / name).exists():
            shutil.copyfile(model / name, out / name)
    head.save(out, (model / bundle.SHEET).read_text(encoding="utf-8"), figures)


def document(data: Labelled, predicted: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return the cross-validated figures as plain JSON data. RMSE is on the scale of the labels."""
    found = metrics.agreement(predicted, data.labels, data.groups)
    intervals = bootstrap.intervals(FIGURES, predicted, data.labels, data.groups)
    return {
        "schema": SCHEMA,
        **{name: getattr(found, name) for name in PRINTED},
        "groups": len(np.unique(data.groups)),
        "pair_accuracy": found.pair_accuracy,
        "srcc_within": found.srcc_within,
        "intervals": {name: [i.low, i.high] for name, i in intervals.items()},
        "zero_shot_srcc": metrics.srcc(data.zero_shot, data.labels),
        "problems": list(data.problems),
    }


def run(options: argparse.Namespace, reader: Reader | None = None) -> int:
    """Fine-tune as the options say. Returns the exit status."""
    from qagate.score import bundle
    from qagate.score.scorer import Scorer

    started = time.monotonic()

    def progress(stage: str) -> Callable[[int, int], None]:
        def line(done: int, total: int) -> None:
            if done == total or done % 50 == 0 or total <= 20:
                print(f"{stage} {done}/{total}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)

        return line

    model = options.model or bundle.find()
    if options.folds < 2:
        raise InputError(f"--folds must be at least 2, got {options.folds}")
    if (options.out / bundle.SHEET).exists():
        raise InputError(f"--out must be a new folder, got {options.out}, which holds a bundle")
    scorer = Scorer.load(model)
    data = describe(options.index, scorer, reader=reader, modality=options.modality, progress=progress("images"))
    say(data.problems)
    predicted = cross_validate(data, options.folds, progress=progress("folds"))
    found = document(data, predicted)
    head = fit_head(data, worst_label=options.worst, best_label=options.best)
    write_bundle(model, options.out, head, {name: found[name] for name in PRINTED})
    (options.out / SHEET).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    stream = sys.stderr if options.json else sys.stdout
    print(f"{options.out}: fitted on {found['n']} images in {found['groups']} groups; cross-validated:", file=stream)
    for name in ("srcc", "plcc", "krocc", "rmse", "rmse_sd"):
        low, high = found["intervals"].get(name, (None, None))
        inside = "" if low is None else f"  (95 %: {low:.3f} to {high:.3f})"
        print(f"  {name:8}{found[name]:7.3f}{inside}", file=stream)
    if found["zero_shot_srcc"] < AGAINST and options.worst is None and options.best is None:
        print(
            "low labels seem to mean good pictures: if so, name the ends with --worst and --best, or 100 will mean bad",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps({name: found[name] for name in PRINTED}))
    return 0


def main(arguments: list[str], reader: Reader | None = None) -> int:
    """Run the command. `reader` reads files that training does not know, as DICOM."""
    parser = argparse.ArgumentParser(prog="qagate train finetune", description=str(__doc__).split("\n", 1)[0])
    add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="new folder for the bundle")
    parser.add_argument("--folds", type=int, default=FOLDS, help="at most so many folds of whole groups")
    parser.add_argument("--worst", type=float, default=None, help="label that becomes 0; the lowest if not given")
    parser.add_argument("--best", type=float, default=None, help="label that becomes 100; the highest if not given")
    return run(parser.parse_args(arguments), reader)
