"""Unseen: what the assessor says of a kind of artefact that it never saw (T2).

    python -m qagate.train unseen PACK FIT_DIR --out unseen.json [--samples 9500] [--twice N] [--nameless N] [--seed 0]
        [--workers 1]

The assessor is fitted without a family of artefacts on the looks that `assess` has kept in FIT_DIR, and judges that
family alone; the other judges of a bundle saw every family, so they take no part. Beside it stand one that knows no
nameless faults either, and hand-made baselines that never saw the family. Fits are smaller than the shipped one
(`parts.SMALL`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qagate.score import tiles
from qagate.score.assessor import Assessor
from qagate.train import baselines, looks, sampling
from qagate.train.ablations import FAMILIES, family
from qagate.train.benchmark import Sizes
from qagate.train.heard import MODEL, SEEDS, Heard, compare_families, fit_baselines
from qagate.train.looks import Table
from qagate.train.pack import Packed, volumes
from qagate.train.parts import SAME, Test, classic, fitted, judged
from qagate.train.progress import teller
from qagate.train.sampling import Sample

SCHEMA = "qagate.unseen/1"
NAMED = "no nameless faults"
"""The assessor fitted on artefacts with names alone."""


def left_out(
    table: Table,
    held: Sequence[Packed],
    learned: Sequence[Sample],
    count: int,
    seed: int,
    progress: Callable[[str], None],
    pool: Executor,
    names: Sequence[str] = tuple(FAMILIES),
) -> dict[str, Heard]:
    """Return family → its samples with what an assessor and baselines that never saw the family say of them, 0-100.

    table: all looks; pool: where assessors are fitted.
    """
    tests: dict[str, Test] = {}
    fits: dict[str, dict[str, Future[Any]]] = {}
    for name in names:
        rest = table.without(family(name))
        tests[name] = _test(list(sampling.samples(held, count, SEEDS["T2"], only=family(name))))
        fits[name] = {MODEL: pool.submit(fitted, rest, seed), SAME: pool.submit(classic, rest, tests[name], seed)}
        if (named := rest.named()) is not rest:
            fits[name][NAMED] = pool.submit(fitted, named, seed)
    found = {}
    for name, test in tests.items():
        progress(f"without {name}")
        said = {who: one.result() for who, one in fits[name].items()}
        predicted = {
            who: 100.0 * (judged(one, test) if isinstance(one, Assessor) else one) for who, one in said.items()
        }
        features = baselines.describe(test.samples)
        others = [s for s in learned if not family(name) & s.artefacts.keys()]
        predicted |= {who: predict(features) for who, predict in fit_baselines(others).items()}
        found[name] = Heard(test.samples, [], predicted)
    return found


def _test(samples: list[Sample]) -> Test:
    """Return samples as they are described to the assessor; nobody else takes part."""
    described = np.array([tiles.describe(looks.standard(s), s.modality) for s in samples])
    nothing = np.zeros(len(samples))
    return Test(samples, nothing, nothing, None, described)


def main(arguments: list[str]) -> int:
    """Fit, judge and write the figures."""
    parser = argparse.ArgumentParser(prog="qagate train unseen", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    looks.arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--share", type=float, default=1.0, help="share of the samples that are judged")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    sizes = Sizes().scaled(options.share)
    progress = teller()
    held = list(volumes(options.pack, ("benchmark",)))
    table = looks.joined(list(looks.looks(options.pack, options.fit, looks.drawn(options))))
    learned = list(sampling.samples(list(volumes(options.pack, ("fit",))), sizes.fit, SEEDS["learned"]))
    with looks.side_by_side(options.workers) as pool:
        families = left_out(table, held, learned, sizes.t2, options.seed, progress, pool)
    nameless = len(np.unique(table.sample)) - len(np.unique(table.named().sample))
    found = {
        "schema": SCHEMA,
        "samples": len(np.unique(table.sample)) - nameless,
        "nameless": nameless,
        "baseline_samples": len(learned),
        "tests": {"T2": compare_families(families, sizes.resamples)},
        "families": {name: sorted(family(name)) for name in FAMILIES},
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    progress(f"{options.out} is written")
    return 0
