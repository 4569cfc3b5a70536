"""Parts: what each part of a model is worth.

    python -m qagate.train parts PACK FIT_DIR --model BUNDLE --out parts.json [--samples 9500] [--twice N]
        [--nameless N] [--seed 0] [--workers 1]

The assessor learns from numbers that `assess` has kept in FIT_DIR/looks, so it can be fitted again in minutes without
a part of them. Each variant judges the very samples of T1 and T3 of the benchmark, mixed with the other judges as the
bundle mixes them. Fits that are made again are smaller than the shipped one (`SMALL`), and are compared with a
reference as small.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qagate.errors import InputError
from qagate.score import handcrafted, marks, tiles
from qagate.score.assessor import Assessor
from qagate.score.scorer import Scorer
from qagate.train import assess, boost, forest, looks, sampling
from qagate.train.benchmark import Sizes
from qagate.train.controls import no_prompt
from qagate.train.heard import SEEDS, Heard, compare
from qagate.train.looks import Table
from qagate.train.pack import volumes
from qagate.train.progress import teller
from qagate.train.sampling import Sample

SCHEMA = "qagate.parts/2"
SHIPPED, REFERENCE = "shipped", "fitted again, small"
SAME = "47 features + extra-trees, same samples"
"""The baseline to beat, learned from all that the assessor learned from."""
CLASSIC, TREES = len(handcrafted.NAMES), 40
SMALL = assess.Recipe(naming=(0.7,), grown=30, boosted=boost.Recipe(300, 0.06))
"""One perceptron where five judge quality and two more name artefacts; a quarter of the forest, fewer boosted trees."""
TEXTURE = len(handcrafted.NAMES) + len(handcrafted.MORE_NAMES)
GROUPS = {
    "no texture": range(TEXTURE),
    "no coarse texture": range(TEXTURE, 2 * TEXTURE),
    "no marks": range(2 * TEXTURE, 2 * TEXTURE + len(marks.NAMES)),
    "no marks of place": range(2 * TEXTURE + len(marks.NAMES), tiles.MEDIUM),
    "no marks of the stack": range(tiles.MEDIUM, tiles.LENGTH),
}
"""Variant → columns that are not looked at."""
SHARES = {"no perceptrons": (0.0, 1.0, 1.0), "no forest": (1.0, 0.0, 1.0), "no boosted trees": (1.0, 1.0, 0.0)}
"""Variant → which of the assessor's judges have a say."""


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """Samples of one test: what the network says with and without a prompt, (n,) 0..1, and their descriptions.

    practised: what the practised eye says, None without one.
    """

    samples: list[Sample]
    network: npt.NDArray[np.float64]
    promptless: npt.NDArray[np.float64]
    practised: npt.NDArray[np.float64] | None
    described: npt.NDArray[np.float32]


def gather(samples: Sequence[Sample], scorer: Scorer) -> Test:
    """Return a test. The assessor sees one tile of each sample: they are as wide as its tiles."""
    share = scorer.model.calibration.worst_share
    said = [
        [scorer.hear(s.volume, p, with_tiles=False).network(share)[0] for p in (s.prompt, no_prompt(s))]
        for s in samples
    ]
    network, promptless = np.array(said).reshape(-1, 2).T
    slabs = [(looks.standard(s), s.modality) for s in samples]
    described = np.array([tiles.describe(slab, modality) for slab, modality in slabs])
    eye = scorer.practised
    seen = None if eye is None else np.array([eye.judge([slab], modality).score[0] for slab, modality in slabs])
    return Test(list(samples), network, promptless, seen, described)


def judged(
    assessor: Assessor,
    test: Test,
    hidden: range | None = None,
    shares: tuple[float, ...] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the assessor's scores of a test, (n,) 0..1.

    hidden: columns that are not looked at; shares: which of its judges have a say.
    """
    described = test.described.copy()
    if hidden is not None:
        described[:, hidden] = 0.0
    modality = np.array([s.modality for s in test.samples])
    found = np.zeros(len(modality))
    for word in np.unique(modality):
        of = modality == word
        own = assessor.shares(str(word))
        found[of] = assessor.judge(described[of], str(word), own if shares is None else own * shares).score
    return found


def fitted(table: Table, seed: int, hidden: range | None = None) -> Assessor:
    """Return a small assessor that never looked at the hidden columns."""
    if hidden is not None:
        features = table.features.copy()
        features[:, hidden] = 0.0
        table = table.with_features(features)
    return assess.fit(table, seed, SMALL)


def classic(table: Table, test: Test, seed: int) -> npt.NDArray[np.float64]:
    """Return what extra-trees on the 47 features say of a test, (n,) 0..1, learned from a table."""
    modality = np.array([s.modality for s in test.samples])
    found = np.zeros(len(modality))
    for word in np.unique(modality):
        of, part = modality == word, table.some(table.modality == word)
        groups = np.unique(part.subject, return_inverse=True)[1]
        quality = part.quality.astype(np.float64)
        trees = forest.fit(part.features[:, :CLASSIC], quality, groups, trees=TREES, seed=seed)
        found[of] = trees(test.described[of, :CLASSIC])
    return found


def ablated(
    table: Table, tests: Mapping[str, Test], scorer: Scorer, seed: int, progress: Callable[[str], None], pool: Executor
) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Return test → variant → scores 0-100. pool: where assessors are fitted."""
    calibration, shipped = scorer.model.calibration, scorer.model.assessor
    if shipped is None or shipped.arrays["CT"]["centre"].shape != (tiles.LENGTH,):
        raise InputError("a model must have an assessor of 0.6.0 or later, got none or an older one")
    said: dict[str, dict[str, npt.NDArray[np.float64]]] = {name: {} for name in tests}

    def add(variant: str, judge: Callable[[Test], npt.ArrayLike]) -> None:
        for name, test in tests.items():
            said[name][variant] = calibration.score(judge(test))

    def mixed(test: Test, assessor: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return calibration.mixed(test.network, assessor, test.practised, [s.modality for s in test.samples])

    again: dict[str, tuple[Table, range | None]] = {REFERENCE: (table, None)}
    again |= {variant: (table, hidden) for variant, hidden in GROUPS.items()}
    if (named := table.named()) is not table:
        again["no nameless faults"] = (named, None)
    again["no guises"] = (table.plain(), None)
    again["a quarter of the samples"] = (table.some(table.sample // 2 % 4 == 0), None)
    others = {variant: pool.submit(fitted, part, seed, hidden) for variant, (part, hidden) in again.items()}
    add(SHIPPED, lambda test: mixed(test, judged(shipped, test)))
    add("no prompt", lambda test: mixed(replace(test, network=test.promptless), judged(shipped, test)))
    for variant, shares in SHARES.items():
        add(variant, lambda test, shares=shares: mixed(test, judged(shipped, test, shares=shares)))  # type: ignore[misc]
    add(SAME, lambda test: classic(table, test, seed))
    for variant, (_, hidden) in again.items():
        progress(variant)
        other = others[variant].result()
        add(variant, lambda test, other=other, hidden=hidden: mixed(test, judged(other, test, hidden)))  # type: ignore[misc]
    return said


def document(
    said: Mapping[str, Mapping[str, npt.NDArray[np.float64]]], tests: Mapping[str, Test], resamples: int
) -> dict[str, Any]:
    """Return the figures: T1 and T3 of every variant."""
    found: dict[str, Any] = {}
    for name, test in tests.items():
        lead = {}
        for lead_of in (SHIPPED, REFERENCE):
            lead[lead_of] = compare(Heard(test.samples, [], dict(said[name])), resamples, lead=lead_of)
        rows = lead[SHIPPED]["rows"]
        for variant, row in lead[REFERENCE]["rows"].items():
            if f"{REFERENCE}_leads_by_srcc" in row:
                rows[variant][f"{REFERENCE}_leads_by_srcc"] = row[f"{REFERENCE}_leads_by_srcc"]
        found[name] = lead[SHIPPED]
    return found


def main(arguments: list[str]) -> int:
    """Fit, judge and write the figures."""
    parser = argparse.ArgumentParser(prog="qagate train parts", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    looks.arguments(parser)
    parser.add_argument("--model", type=Path, default=None, help="folder of a bundle; the shipped one if not given")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--share", type=float, default=1.0, help="share of the samples that are judged")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    sizes = Sizes().scaled(options.share)
    progress = teller()
    held = list(volumes(options.pack, ("benchmark",)))
    table = looks.joined(list(looks.looks(options.pack, options.fit, looks.drawn(options))))
    scorer = Scorer.load(options.model)
    progress("samples")
    tests = {
        "T1": gather(list(sampling.samples(held, sizes.t1, SEEDS["T1"])), scorer),
        "T3": gather(list(sampling.samples(held, sizes.t3, SEEDS["T3"], independent=True)), scorer),
    }
    with looks.side_by_side(options.workers) as pool:
        said = ablated(table, tests, scorer, options.seed, progress, pool)
    found = {
        "schema": SCHEMA,
        "model": scorer.identity.version,
        "samples": len(np.unique(table.sample)),
        "tests": document(said, tests, sizes.resamples),
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    progress(f"{options.out} is written")
    return 0
