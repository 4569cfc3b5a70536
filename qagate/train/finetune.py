"""Finetune: adapt a bundle to human scores, and say by cross-validation what that is worth.

    python -m qagate.train finetune --index labels.csv --out DIR [--model DIR] [--folds 10] [--json]

The model stays as it is. On the features of its network, hand-made ones, its assessor's opinion and what that looked
at, and what its eye notices (`score.eye`), a head is fitted (`score.head`): Gaussian processes and forests, each on
some of the features, weighed by their errors on groups left out (`members`). Folds never part a group. The new bundle
holds the head fitted on everything; its scores run from 0 (the worst label, or --worst) to 100 (the best label, or
--best). Intervals, counts and problems of rows lie beside it in finetune.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.errors import InputError
from qagate.score.head import Head
from qagate.train import bootstrap, metrics
from qagate.train.described import FEWEST, Labelled, describe
from qagate.train.evaluate import FIGURES, add_arguments, say, worst
from qagate.train.members import fit_head, folds_of
from qagate.train.pictures import Reader, read_index

SCHEMA = "qagate.finetune/1"
FOLDS = 10
SHEET = "finetune.json"
PRINTED = ("srcc", "plcc", "krocc", "rmse", "rmse_sd", "n")
"""What --json prints, in this order."""
AGAINST = -0.3
"""Rank correlation of labels with the bundle's own score from which labels seem to fall with quality."""
ALONE = (
    "no two pictures share a group: if several show the same content or subject, name it in a column group, or the "
    "figures below are too good"
)
ONE_GROUP = "cross-validation needs at least two groups; leave the column group out to part rows, got 1"
MOST_WORKERS = 4
"""Processes that look at images side by side, if not said otherwise: each takes some hundred MB."""


def cross_validate(
    data: Labelled, folds: int = FOLDS, *, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> npt.NDArray[np.float64]:
    """Return (items,) predictions, each by a head fitted without the item's fold. Raises InputError with one group."""
    if len(np.unique(data.groups)) < 2:
        raise InputError(ONE_GROUP)
    numbers = folds_of(data.groups, folds, seed)
    predicted = np.zeros(len(data.labels))
    # a fold may leave labels that are all the same, which make no scale of their own; predictions do not depend on it
    ends = {"worst_label": float(data.labels.min()), "best_label": float(data.labels.max())}
    for fold in range(numbers.max() + 1):
        out = numbers == fold
        predicted[out] = fit_head(data.some(~out), **ends, seed=seed).predict(data.features[out])
        if progress:
            progress(fold + 1, int(numbers.max()) + 1)
    return predicted


def write_bundle(model: Path, out: Path, head: Head, figures: dict[str, float | int]) -> None:
    """Write the bundle `model` with a head to `out`. Raises InputError when `out` has a bundle."""
    from qagate.score import bundle

    if out.resolve() == model.resolve() or (out / bundle.SHEET).exists():
        raise InputError(f"--out must be a new folder, got {out}, which holds a bundle")
    out.mkdir(parents=True, exist_ok=True)
    for name in bundle.FILES:
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


def check(options: argparse.Namespace) -> None:
    """Raise InputError for what would stop the work at its end, after every picture was looked at."""
    from qagate.score import bundle

    if options.folds < 2:
        raise InputError(f"--folds must be at least 2, got {options.folds}")
    for name, label in (("--worst", options.worst), ("--best", options.best)):
        if label is not None and not math.isfinite(label):
            raise InputError(f"{name} must be a number, got {label}")
    rows, problems = read_index(options.index, options.modality)
    if len(rows) < FEWEST:
        raise InputError(f"{options.index} must have at least {FEWEST} usable rows, got {len(rows)}{worst(problems)}")
    labels = [row.score for row in rows]
    if min(labels) == max(labels):
        raise InputError(f"{options.index} must have scores that differ, got {labels[0]:g} everywhere")
    lowest = min(labels) if options.worst is None else options.worst
    highest = max(labels) if options.best is None else options.best
    if lowest == highest:
        raise InputError(f"the labels that become 0 and 100 must differ, got {lowest:g} for both")
    if len({row.group for row in rows}) < 2:
        raise InputError(ONE_GROUP)
    if (options.out / bundle.SHEET).exists():
        raise InputError(f"--out must be a new folder, got {options.out}, which holds a bundle")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out must be a folder that can be made, got {options.out}: {error.strerror}") from error


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
    check(options)
    data = describe(
        options.index,
        Scorer.load(model),
        reader=reader,
        modality=options.modality,
        progress=progress("images"),
        model=model,
        workers=options.workers or min(MOST_WORKERS, len(os.sched_getaffinity(0))),
    )
    say(data.problems)
    if len(np.unique(data.groups)) == len(set(data.names)):
        print(ALONE, file=sys.stderr)
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
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that look at images; 0: by the cores, at most 4"
    )
    parser.add_argument("--worst", type=float, default=None, help="label that becomes 0; the lowest if not given")
    parser.add_argument("--best", type=float, default=None, help="label that becomes 100; the highest if not given")
    return run(parser.parse_args(arguments), reader)
