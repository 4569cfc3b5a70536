"""Contrasts: real pictures of one thing, of which one is better for a reason that is known (T4 of the benchmark).

    python -m qagate.train contrasts --index pairs.csv [--model DIR] [--out contrasts.json]

The CSV has the columns `better,worse,why,subject[,modality,organ]`: two files, in words what makes one the better, and
whom or what they show. Nobody need have rated them: what is asked is whether the score has the right sign.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qagate.domain.prompt import Prompt
from qagate.errors import InputError, QagateError
from qagate.train import bootstrap, index, pictures
from qagate.train.evaluate import Scores, say, worst
from qagate.train.pictures import Reader
from qagate.train.table import contrasts as table

SCHEMA = "qagate.contrasts/1"
COLUMNS = ("better", "worse", "why", "subject")


@dataclass(frozen=True, slots=True)
class Pair:
    """One row. line: 1-based, the header is line 1."""

    line: int
    better: Path
    worse: Path
    why: str
    subject: str
    prompt: Prompt


def read_pairs(path: Path) -> list[Pair]:
    """Return the rows of an index; paths are taken from its folder. Raises InputError."""
    found = []
    for record in index.read(path, COLUMNS, ("modality", "organ")):
        line, row = record.line, record.words
        empty = [name for name in COLUMNS if not row[name]]
        if empty:
            raise InputError(f"{path} must say what is {empty[0]} in every row, got nothing in line {line}")
        try:
            row = record.said()
            prompt = pictures.prompt(*pictures.words(row["modality"], row["organ"]))
        except InputError as error:
            raise InputError(f"{path}: {error} in line {line}") from error
        better, worse = (index.file_in(path.parent, row[name]) for name in ("better", "worse"))
        found.append(Pair(line, better, worse, row["why"], row["subject"], prompt))
    return found


def measure(
    pairs: Sequence[Pair], scorer: Scores, reader: Reader | None = None, resamples: int = bootstrap.RESAMPLES
) -> tuple[dict[str, Any], list[str]]:
    """Return T4 and one sentence for each pair that could not be used. Raises InputError when none could.

    sign: share of pairs in which the better one has the higher score; points: how much higher, mean. Intervals: 95 %,
    by resampling subjects.
    """
    ahead: list[tuple[Pair, float]] = []
    problems = []
    for pair in pairs:
        try:
            high, low = (_score(path, pair.prompt, scorer, reader) for path in (pair.better, pair.worse))
        except QagateError as error:
            problems.append(f"line {pair.line}: {error}")
            continue
        ahead.append((pair, high - low))
    if not ahead:
        raise InputError(f"at least one pair must be usable, got none{worst(problems)}")
    whys = sorted({pair.why for pair, _ in ahead})
    each = {why: _figures([one for one in ahead if one[0].why == why], resamples) for why in whys}
    return {**_figures(ahead, resamples), "each": each}, problems


def _figures(ahead: Sequence[tuple[Pair, float]], resamples: int) -> dict[str, Any]:
    values, subjects = np.array([points for _, points in ahead]), [pair.subject for pair, _ in ahead]
    sign = (values > 0) + 0.5 * (values == 0)
    return {
        "n": len(values),
        "subjects": len(set(subjects)),
        "sign": bootstrap.interval(lambda at: float(sign[at].mean()), subjects, resamples=resamples).as_dict(),
        "points": bootstrap.interval(lambda at: float(values[at].mean()), subjects, resamples=resamples).as_dict(),
    }


def _score(path: Path, prompt: Prompt, scorer: Scores, reader: Reader | None) -> float:
    volume = pictures.read_volume(path, reader)
    return scorer.score(volume, pictures.as_filed(prompt, volume)).score


def main(arguments: list[str], reader: Reader | None = None) -> int:
    """Score the pairs, print the table and write the JSON. `reader` reads files that training does not know."""
    from qagate.score.scorer import Scorer

    parser = argparse.ArgumentParser(prog="qagate train contrasts", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--index", type=Path, required=True, help="CSV better,worse,why,subject[,modality,organ]")
    parser.add_argument("--model", type=Path, default=None, help="folder of a bundle; the shipped one if not given")
    parser.add_argument("--out", type=Path, default=None, help="JSON file to write, for `benchmark --contrasts`")
    options = parser.parse_args(arguments)
    scorer = Scorer.load(options.model)
    found, problems = measure(read_pairs(options.index), scorer, reader)
    say(problems)
    identity = scorer.identity
    model = {"name": identity.name, "version": identity.version, "sha256": identity.sha256}
    if options.out is not None:
        text = json.dumps({"schema": SCHEMA, "model": model, "tests": {"T4": found}}, indent=1)
        options.out.write_text(text + "\n", encoding="utf-8")
    print("\n".join(table(found)))
    return 0
