"""Evaluate: how well a model agrees with human scores it was never fitted to.

    python -m qagate.train evaluate --index labels.csv [--model DIR] [--modality CT|MR] [--json]

Labels may be on any scale. SRCC, KROCC and PLCC are of the raw scores; RMSE is after a 4-parameter logistic from the
model's 0-100 to the scale of the labels, and so is the second PLCC. Intervals: 95 %, by resampling groups.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from qagate.domain.assessment import Estimate, ModelIdentity
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import InputError, QagateError
from qagate.train import bootstrap, metrics
from qagate.train.pictures import Reader, pictures, read_index

SCHEMA = "qagate.evaluate/1"
EVERY = 50
"""So many images go by between two lines of progress."""
FIGURES: dict[str, Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]] = {
    "srcc": metrics.srcc,
    "plcc": metrics.plcc,
    "krocc": metrics.krocc,
}
"""Figures that get an interval."""


class Scores(Protocol):
    """What evaluation needs of a scorer."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""

    def score(self, volume: Volume, prompt: Prompt) -> Estimate:
        """Score one volume."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome. predicted: 0-100; labels: on their own scale; both in the order of `paths`."""

    figures: metrics.Agreement
    intervals: dict[str, bootstrap.Interval]
    model: ModelIdentity
    groups: int
    paths: tuple[str, ...]
    predicted: tuple[float, ...]
    labels: tuple[float, ...]
    problems: tuple[str, ...]

    @property
    def note(self) -> str:
        """One sentence on the direction of the labels."""
        found = self.intervals["srcc"]
        if (found.high if found.high is not None else found.value) < 0:
            return (
                "Scores and labels run against each other: if a low label means a good picture, read the sign of SRCC, "
                "PLCC and KROCC the other way round."
            )
        return "Scores rise with the labels." if found.value > 0 else "Scores and labels show no common direction."

    def document(self) -> dict[str, Any]:
        """Return the outcome as plain JSON data; RMSE is on the scale of the labels, after the logistic."""
        f = self.figures
        return {
            "schema": SCHEMA,
            "srcc": f.srcc,
            "plcc": f.plcc,
            "krocc": f.krocc,
            "rmse": f.rmse_fitted,
            "rmse_sd": f.rmse_sd_fitted,
            "n": f.n,
            "plcc_fitted": f.plcc_fitted,
            "pair_accuracy": f.pair_accuracy,
            "srcc_within": f.srcc_within,
            "groups": self.groups,
            "intervals": {name: [i.low, i.high] for name, i in self.intervals.items()},
            "model": {"name": self.model.name, "version": self.model.version, "sha256": self.model.sha256},
            "note": self.note,
            "problems": list(self.problems),
        }


def evaluate(
    index: Path,
    scorer: Scores,
    *,
    reader: Reader | None = None,
    modality: str | None = None,
    resamples: int = bootstrap.RESAMPLES,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score every usable image of an index and compare.

    Raises InputError when fewer than three can be used, or all labels are the same.
    """
    rows, problems = read_index(index, modality)
    paths, predicted, labels, groups = [], [], [], []
    for picture in pictures(rows, problems, reader):
        row = picture.row
        try:
            estimate = scorer.score(picture.volume, picture.prompt)
        except QagateError as error:
            problems.append(f"line {row.line}: {error}")
            continue
        if not np.isfinite(estimate.score):
            problems.append(f"line {row.line}: {row.path} must get a score, got {estimate.score}")
            continue
        paths.append(str(row.path))
        predicted.append(estimate.score)
        labels.append(row.score)
        groups.append(row.group)
        if progress:
            progress(len(paths), len(rows))
    if len(labels) < 3:
        raise InputError(f"{index} must have at least three usable rows, got {len(labels)}{worst(problems)}")
    if len(set(labels)) == 1:
        raise InputError(f"{index} must have scores that differ, got {labels[0]:g} everywhere")
    return Evaluation(
        metrics.agreement(predicted, labels, groups),
        bootstrap.intervals(FIGURES, predicted, labels, groups, resamples=resamples),
        scorer.identity,
        len(set(groups)),
        tuple(paths),
        tuple(predicted),
        tuple(labels),
        tuple(problems),
    )


def worst(problems: Sequence[str]) -> str:
    """Return the first problems for a message."""
    return "".join(f"\n  {problem}" for problem in problems[:5])


def table(found: Evaluation) -> str:
    """Return the figures for a person to read."""
    f = found.figures
    lines = [
        f"{found.model.name} {found.model.version}: {f.n} images in {found.groups} group{'s' * (found.groups != 1)}"
    ]
    for name, figure in found.intervals.items():
        inside = "" if figure.low is None else f"  (95 %: {figure.low:.3f} to {figure.high:.3f})"
        lines.append(f"  {name.upper():14}{figure.value:7.3f}{inside}")
    lines += [
        f"  {'PLCC fitted':14}{f.plcc_fitted:7.3f}  after a 4-parameter logistic",
        f"  {'RMSE':14}{f.rmse_fitted:7.3f}  on the scale of the labels, after the logistic",
        f"  {'RMSE / SD':14}{f.rmse_sd_fitted:7.3f}  1 would be a constant guess",
        f"  {'pairs':14}{f.pair_accuracy:7.3f}  ordered as the labels are",
    ]
    if f.srcc_within is not None:
        lines.append(f"  {'SRCC within':14}{f.srcc_within:7.3f}  mean inside a group")
    return "\n".join([*lines, found.note])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options shared by evaluate and finetune."""
    parser.add_argument("--index", type=Path, required=True, help="CSV path,score[,modality,organ,group]")
    parser.add_argument("--model", type=Path, default=None, help="folder of a bundle; the shipped one if not given")
    parser.add_argument("--modality", choices=("CT", "MR"), default=None, help="for rows that do not say")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on the last line")


def say(problems: Sequence[str]) -> None:
    """Print problems, one a line, for a person."""
    for problem in problems:
        print(problem, file=sys.stderr)


def run(options: argparse.Namespace, reader: Reader | None = None) -> int:
    """Evaluate as the options say. Returns the exit status."""
    from qagate.score.scorer import Scorer

    started = time.monotonic()

    def progress(done: int, total: int) -> None:
        if done == total or done % EVERY == 0:
            print(f"images {done}/{total}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)

    scorer = Scorer.load(options.model)
    found = evaluate(options.index, scorer, reader=reader, modality=options.modality, progress=progress)
    say(found.problems)
    print(table(found), file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(found.document()))
    return 0


def main(arguments: list[str], reader: Reader | None = None) -> int:
    """Run the command. `reader` reads files that training does not know, as DICOM."""
    parser = argparse.ArgumentParser(prog="qagate train evaluate", description=str(__doc__).split("\n", 1)[0])
    add_arguments(parser)
    return run(parser.parse_args(arguments), reader)
