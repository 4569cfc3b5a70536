"""Trial: fine-tuning against hand-crafted features on sets that invented raters labelled, one command for all of it.

    python -m qagate.train trial PACK --out DIR [--model DIR] [--set NAME ...] [--share 1.0]

Pictures come from subjects that the network was not fitted to, faults and raters from `raters`, which shares nothing
with `train.degrade`. Each set is written as files and read back as a user's would be. Fine-tuning and extra-trees on
the 47 features (and on all hand-made ones) answer by the same folds of whole groups; the lead has a paired interval
over groups. The network's own score, never fitted to the set, stands beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.errors import InputError
from qagate.score import handcrafted
from qagate.train import bootstrap, finetune, metrics, raters
from qagate.train.described import Describes, Labelled, describe
from qagate.train.evaluate import FIGURES
from qagate.train.members import folds_of
from qagate.train.pack import volumes
from qagate.train.table import interval

SCHEMA = "qagate.trial/1"
COUNT = 400
"""Trees; the rest of scikit-learn's own settings."""
HEAD, TREES, MORE_TREES, ZERO_SHOT = "fine-tuned", "47 features + ExtraTrees", "all features + ExtraTrees", "zero-shot"


def trees(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float64], folds: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Return (items,) predictions of extra-trees, each fitted without the item's fold. Needs scikit-learn."""
    from sklearn.ensemble import ExtraTreesRegressor

    predicted = np.zeros(len(y))
    for fold in range(folds.max() + 1):
        out = folds == fold
        predicted[out] = ExtraTreesRegressor(COUNT, random_state=0).fit(x[~out], y[~out]).predict(x[out])
    return predicted


def compare(data: Labelled, folds: int = finetune.FOLDS, resamples: int = 1000) -> dict[str, Any]:
    """Return everybody's figures on one set, and the lead of fine-tuning over extra-trees. Raises InputError."""
    numbers = folds_of(data.groups, folds)
    started = time.process_time()
    said = {HEAD: finetune.cross_validate(data, folds)}
    seconds = time.process_time() - started
    classic = len(handcrafted.NAMES)
    said[TREES] = trees(data.handmade[:, :classic], data.labels, numbers)
    said[MORE_TREES] = trees(data.handmade, data.labels, numbers)
    said[ZERO_SHOT] = data.zero_shot
    rows: dict[str, Any] = {}
    for name, values in said.items():
        found = metrics.agreement(values, data.labels, data.groups)
        ends = bootstrap.intervals(FIGURES, values, data.labels, data.groups, resamples=resamples)
        own_scale = name != ZERO_SHOT
        rows[name] = {
            **{key: end.as_dict() for key, end in ends.items()},
            "rmse_sd": found.rmse_sd if own_scale else found.rmse_sd_fitted,
        }
    ahead = bootstrap.paired_difference(
        metrics.srcc, said[HEAD], said[TREES], data.labels, data.groups, resamples=resamples
    )
    return {
        "n": len(data.labels),
        "groups": len(np.unique(data.groups)),
        "rows": rows,
        "leads_extra_trees_by_srcc": ahead.as_dict(),
        "fit_processor_seconds": round(seconds, 1),
    }


def trial(
    pack: Path, scorer: Describes, out: Path, names: list[str], share: float, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Return the comparison on each set, whose pictures are left in `out`."""
    packed = list(volumes(pack, ("select", "benchmark")))
    found = {}
    for number, name in enumerate(names):
        index = raters.write(name, packed, out / f"set{number}", share=share)
        started = time.process_time()
        data = describe(index, scorer)
        seconds = time.process_time() - started
        found[name] = {**compare(data), "describe_processor_seconds": round(seconds, 1)}
        progress(line(name, found[name]))
    return found


def line(name: str, found: dict[str, Any]) -> str:
    """Return the comparison on one set as a row of a table."""
    cells = [interval(found["rows"][who]["srcc"]) for who in (HEAD, TREES, MORE_TREES, ZERO_SHOT)]
    return (
        f"| {name} | {found['n']} in {found['groups']} | {' | '.join(cells)} "
        f"| {interval(found['leads_extra_trees_by_srcc'])} |"
    )


def main(arguments: list[str]) -> int:
    """Run the trial, print a table and write DIR/trial.json."""
    from qagate.score.scorer import Scorer

    parser = argparse.ArgumentParser(prog="qagate train trial", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the sets and trial.json")
    parser.add_argument("--model", type=Path, default=None, help="folder of a bundle; the shipped one if not given")
    parser.add_argument("--set", action="append", dest="sets", metavar="NAME", help="; ".join(raters.RECIPES))
    parser.add_argument("--share", type=float, default=1.0, help="share of each set's pictures, to be quick")
    options = parser.parse_args(arguments)
    names = options.sets or list(raters.RECIPES)
    if unknown := [name for name in names if name not in raters.RECIPES]:
        raise InputError(f"--set must be one of {'; '.join(raters.RECIPES)}, got {'; '.join(unknown)}")
    scorer = Scorer.load(options.model)
    print(
        f"| set | pictures | {HEAD} | {TREES} | {MORE_TREES} | {ZERO_SHOT} | leads by |\n|---|---|---|---|---|---|---|"
    )
    sets = trial(
        options.pack, scorer, options.out, names, options.share, lambda text: print(text, file=sys.stdout, flush=True)
    )
    identity = scorer.identity
    document = {
        "schema": SCHEMA,
        "model": {"name": identity.name, "version": identity.version, "sha256": identity.sha256},
        "share": options.share,
        "sets": sets,
    }
    (options.out / "trial.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0
