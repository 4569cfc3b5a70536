"""Ablations: what each part of the model is worth, and other networks, all trained alike on one small budget.

    python -m qagate.train ablate PACK OUT [--steps 40] [--groups 2] [--only NAME ...]

Every network takes the same number of steps of the same number of pictures from one seed, then judges the very samples
of T1 and T3 of the benchmark; each is compared with "reference", the whole model on that same budget. For T2 the
reference is trained once more without each family of artefacts and judged on that family alone, beside hand-made
baselines that never saw it either. The budget is far below that of the shipped weights: the figures say what a part is
worth early in training, and no more. What was said lies in OUT, a file for each variant, and is not asked for again;
OUT/ablations.json holds the figures, for `benchmark --ablations`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qagate.domain.assessment import ModelIdentity
from qagate.errors import InputError
from qagate.score.bundle import Bundle
from qagate.score.calibration import Calibration
from qagate.score.scorer import Scorer
from qagate.train import baselines, checkpoint, data, export, fit, sampling
from qagate.train.baselines import resized
from qagate.train.degrade import REGISTRY
from qagate.train.heard import MODEL, SEEDS, Heard, compare, compare_families, fit_baselines
from qagate.train.pack import Packed, volumes
from qagate.train.progress import teller
from qagate.train.sampling import Sample

SCHEMA = "qagate.ablations/1"
REFERENCE = "reference"
ABLATIONS: dict[str, dict[str, Any]] = {
    "no prompt": {"prompt": "none"},
    "additive prompt": {"prompt": "additive"},
    "no pseudo-3D": {"pseudo_3d": False},
    "no 2D": {"planar": False},
    "no ranking loss": {"ranking": False},
    "no nuisance augmentation": {"nuisance": False},
}
"""Name → what of the plan is changed."""
NETWORKS = {"2D ResNet on resized slices": False, "MedIQA-style (7 slices, 224 px, additive one-hot)": True}
"""Name → whether it is MedIQA's way."""
FAMILIES = {
    "noise": ("noise",),
    "motion and ghosting": ("motion", "ghosting"),
    "blur and smoothing": ("blur", "oversmoothing", "gibbs"),
    "missing data": ("streak", "undersampling"),
    "shading and metal": ("beam_hardening", "bias_field", "metal"),
    "rings and spikes": ("ring", "spike"),
    "slices and field of view": ("slice_gaps", "truncation", "wrap"),
    "grey values and storage": ("clipping", "compression"),
}
"""Family → attributes; each artefact belongs to the family of its attribute."""
WITHOUT = "without "
RATE = 4e-3
"""Twice that of `fit`: most of so short a run is its warm-up."""


def family(name: str) -> frozenset[str]:
    """Return the artefacts of a family."""
    return frozenset(n for n, a in REGISTRY.items() if a.attribute in FAMILIES[name])


def plan_of(name: str, steps: int, groups: int, seed: int = 0) -> fit.Plan:
    """Return the plan of the reference, an ablation, or the reference without a family ("without NAME")."""
    plan = fit.Plan(steps=steps, groups=groups, seed=seed, rate=RATE)
    if name.startswith(WITHOUT):
        return replace(plan, without=",".join(sorted(family(name.removeprefix(WITHOUT)))))
    return plan if name == REFERENCE else replace(plan, **ABLATIONS[name])


def train(contents: list[Packed], made: Sequence[data.Group], plan: fit.Plan) -> checkpoint.Run:
    """Train by a plan on groups that are made already; those with an artefact that the plan leaves out are not shown.

    Every variant sees the groups in the same order, each step one next one and others at random.
    """
    kept = [group for group in made if set(group.artefacts) <= plan.artefacts.keys()]
    if not kept:
        raise InputError(f"there must be groups left to train with, got {len(made)}, all with {plan.without}")
    run = fit.start(plan, len(contents))
    fit.measure(run, contents, replace(plan, measure_groups=4))
    random = np.random.default_rng(plan.seed)
    for number in range(plan.steps):
        others = random.integers(len(kept), size=plan.groups - 1)
        fit.step(run, [kept[number % len(kept)], *(kept[i] for i in others)], contents, plan)
    run.ema.eval()
    return run


def scorer_of(run: checkpoint.Run, contents: list[Packed], name: str) -> Scorer:
    """Return a scorer that reports what the network says as it is, without calibration: order is all that counts."""
    seen = export.seen([volume.prompt for volume in contents])
    identity = ModelIdentity(name, "0", "0" * 64)
    made = Bundle(Path(), identity, run.ema.sizes, Calibration(), seen, {}, run.ema)
    return Scorer(made, torch.device("cpu"))


def variants(only: list[str] | None = None) -> list[str]:
    """Return what there is to train, the most telling first. Raises InputError for a name that is not known."""
    everything = [REFERENCE, *ABLATIONS, *NETWORKS, *(WITHOUT + name for name in FAMILIES)]
    unknown = [name for name in only or [] if name not in everything]
    if unknown:
        raise InputError(f"a variant must be one of {', '.join(everything)}, got {', '.join(unknown)}")
    return [name for name in everything if not only or name in only]


@dataclass(frozen=True, slots=True)
class Budget:
    """What every network gets. pictures: of a step; groups: made in all; t1, t2, t3: samples to judge."""

    steps: int = 40
    groups: int = 2
    made: int = 80
    learned: int = 200
    t1: int = 96
    t2: int = 32
    t3: int = 72
    seed: int = 0

    @property
    def pictures(self) -> int:
        """Pictures of one step."""
        return self.groups * (data.LEVELS + 2)


class Workshop:
    """The samples of the benchmark and the groups of training, each made once, when first asked for.

    kept: test → its samples.
    """

    def __init__(self, pack: Path, budget: Budget) -> None:
        self.budget = budget
        self.fitted = list(volumes(pack, ("fit",)))
        self.held = list(volumes(pack, ("benchmark",)))
        self.kept: dict[str, list[Sample]] = {}

    @cached_property
    def made(self) -> list[data.Group]:
        """Groups to train with."""
        groups = data.Groups(self.fitted, REGISTRY, self.budget.seed)
        return [groups.make(index) for index in range(self.budget.made)]

    @cached_property
    def learned(self) -> list[Sample]:
        """What the hand-made baselines and the networks on resized slices learn from."""
        return list(sampling.samples(self.fitted, self.budget.learned, SEEDS["learned"]))

    def samples(self, test: str) -> list[Sample]:
        """Return the samples of T1, T3, or of a family for T2."""
        if test not in self.kept:
            budget = self.budget
            if test == "T1":
                found = sampling.samples(self.held, budget.t1, SEEDS["T1"])
            elif test == "T3":
                found = sampling.samples(self.held, budget.t3, SEEDS["T3"], independent=True)
            else:
                found = sampling.samples(self.held, budget.t2, SEEDS["T2"], only=family(test))
            self.kept[test] = list(found)
        return self.kept[test]

    def said(self, name: str) -> dict[str, list[float]]:
        """Train one variant and return test → what it says of the samples, 0-100."""
        budget = self.budget
        if name in NETWORKS:
            network = resized.train(
                self.learned, mediqa=NETWORKS[name], steps=budget.steps, batch=budget.pictures, seed=budget.seed
            )
            return {test: [resized.predict(network, s) for s in self.samples(test)] for test in ("T1", "T3")}
        run = train(self.fitted, self.made, plan_of(name, budget.steps, budget.groups, budget.seed))
        scorer = scorer_of(run, self.fitted, name)
        asked = [name.removeprefix(WITHOUT)] if name.startswith(WITHOUT) else ["T1", "T3"]
        return {test: [scorer.score(s.volume, s.prompt).score for s in self.samples(test)] for test in asked}

    @staticmethod
    def file(name: str, out: Path) -> Path:
        """Return where the answers of a variant lie."""
        return out / f"{''.join(c if c.isalnum() else '-' for c in name.lower())}.json"

    def ask(self, name: str, out: Path, progress: Callable[[str], None]) -> dict[str, list[float]]:
        """Return what a variant says: from `out` when it is there, else train it and keep it. Raises InputError."""
        file = self.file(name, out)
        budget = asdict(self.budget)
        if file.exists():
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["budget"] != budget:
                raise InputError(f"{file} must be of the same budget; name a new folder, got {kept['budget']}")
            found: dict[str, list[float]] = kept["said"]
            return found
        progress(f"training {name}")
        started = time.process_time()
        found = self.said(name)
        seconds = round(time.process_time() - started, 1)
        progress(f"{name} took {seconds:.0f} s of processor time")
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"variant": name, "budget": budget, "processor_seconds": seconds, "said": found})
        file.write_text(text + "\n", encoding="utf-8")
        return found


def document(workshop: Workshop, said: dict[str, dict[str, list[float]]], resamples: int = 1000) -> dict[str, Any]:
    """Return the figures of the variants that were trained. said: variant → test → scores."""
    tests: dict[str, Any] = {}
    for test in ("T1", "T3"):
        predicted = {name: np.array(found[test]) for name, found in said.items() if test in found}
        if REFERENCE in predicted:
            tests[test] = compare(Heard(workshop.samples(test), [], predicted), resamples, lead=REFERENCE)
    each: dict[str, Heard] = {}
    for name in FAMILIES:
        if name not in said.get(WITHOUT + name, {}):
            continue
        samples = workshop.samples(name)
        others = [s for s in workshop.learned if not family(name) & s.artefacts.keys()]
        features = baselines.describe(samples)
        predicted = {MODEL: np.array(said[WITHOUT + name][name])}
        predicted |= {who: predict(features) for who, predict in fit_baselines(others).items()}
        each[name] = Heard(samples, [], predicted)
    if each:
        tests["T2"] = compare_families(each, resamples)
    return {
        "schema": SCHEMA,
        "budget": {**asdict(workshop.budget), "pictures": workshop.budget.pictures},
        "tests": tests,
        "families": {name: sorted(family(name)) for name in FAMILIES},
        "not_run": [name for name in variants() if name not in said],
    }


def main(arguments: list[str]) -> int:
    """Train and judge the variants, and write the figures after each."""
    parser = argparse.ArgumentParser(prog="qagate train ablate", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path, help="folder for what the variants say, and ablations.json")
    parser.add_argument("--only", action="append", metavar="NAME", help="variants to train; all if not given")
    for name, default in asdict(Budget()).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = vars(parser.parse_args(arguments))
    pack, out, only = options.pop("pack"), options.pop("out"), options.pop("only")
    workshop = Workshop(pack, Budget(**options))
    torch.set_num_threads(1)
    progress = teller()
    for name in variants(only):
        workshop.ask(name, out, progress)
    said = {name: workshop.ask(name, out, progress) for name in variants() if workshop.file(name, out).exists()}
    found = document(workshop, said)
    (out / "ablations.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    progress(f"{out / 'ablations.json'} is written")
    return 0
