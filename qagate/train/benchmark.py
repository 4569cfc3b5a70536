"""Benchmark: T0 to T7 for one bundle and every baseline, with intervals over subjects.

    python -m qagate.train benchmark PACK --model DIR --out benchmark.json [--quick] [--without NAME=DIR ...]

T0 select subjects, same simulator (sanity). T1 the benchmark part: subjects never seen, most from scanners or organs
never seen. T2 one artefact type left out of training (needs bundles made without it). T3 another simulator. T4 real
contrasts and T5 human raters need data that are not in a pack. T6 controls. T7 intervals, artefacts and slices.
Baselines learn from samples of the fit part. What was not run says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.assessment import Estimate
from qagate.errors import InputError
from qagate.train import baselines, bootstrap, controls, metrics, sampling
from qagate.train.degrade import REGISTRY
from qagate.train.evaluate import FIGURES, Scores
from qagate.train.pack import HELD_OUT_ORGANS, HELD_OUT_SCANNERS, Packed, volumes
from qagate.train.sampling import Sample
from qagate.train.table import table

SCHEMA = "qagate.benchmark/1"
PUBLISHED = {"srcc": 0.7476, "plcc": 0.7153}
"""CMMIQA on its own 3D database (QIMS 2025): other data, labels and scale, so only a yardstick."""
MODEL = "model"
NOT_RUN = "not run"
PRESENT = 0.3
"""Strength from which an artefact counts as present."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many samples of each kind."""

    fit: int = 360
    t0: int = 100
    t1: int = 320
    t2: int = 60
    t3: int = 240
    controls: int = 24
    local: int = 40
    resamples: int = 1000


QUICK = Sizes(fit=40, t0=12, t1=24, t2=12, t3=16, controls=6, local=6, resamples=100)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Samples with what the model and the baselines say of them. predicted: name → (items,)."""

    samples: list[Sample]
    estimates: list[Estimate]
    predicted: dict[str, npt.NDArray[np.float64]]

    @property
    def quality(self) -> npt.NDArray[np.float64]:
        """The truth, 0-100: (items,)."""
        return np.array([s.quality for s in self.samples])

    @property
    def subjects(self) -> npt.NDArray[np.str_]:
        """(items,) names of subjects."""
        return np.array([s.subject for s in self.samples])

    def some(self, chosen: npt.NDArray[np.bool_]) -> Heard:
        """Return a part of the samples."""
        at = np.flatnonzero(chosen)
        return Heard(
            [self.samples[i] for i in at],
            [self.estimates[i] for i in at],
            {name: values[at] for name, values in self.predicted.items()},
        )


def hear(samples: Iterable[Sample], scorer: Scores, fitted: dict[str, baselines.Predict]) -> Heard:
    """Return what everybody says of the samples."""
    kept, estimates = [], []
    for sample in samples:
        kept.append(sample)
        estimates.append(scorer.score(sample.volume, sample.prompt))
    predicted = {MODEL: np.array([e.score for e in estimates])}
    if fitted and kept:
        features = baselines.describe(kept)
        predicted |= {name: predict(features) for name, predict in fitted.items()}
    return Heard(kept, estimates, predicted)


def fit_baselines(samples: list[Sample]) -> dict[str, baselines.Predict]:
    """Return every baseline fitted on samples, or none of them without scikit-learn."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return {}
    features, target = baselines.describe(samples), np.array([s.quality for s in samples])
    return {name: fit(features, target) for name, fit in baselines.BASELINES.items()}


def compare(
    heard: Heard, resamples: int, curve: dict[str, Callable[[npt.ArrayLike], npt.NDArray[np.float64]]] | None = None
) -> dict[str, Any]:
    """Return figures with intervals for everybody, and the model's lead over each baseline in SRCC.

    RMSE is on 0-1. curve: logistics fitted on T0, for the PLCC after them.
    """
    truth, subjects = heard.quality / 100.0, heard.subjects
    rows: dict[str, Any] = {}
    for name, values in heard.predicted.items():
        said = values / 100.0
        found = metrics.agreement(said, truth, np.array([s.content for s in heard.samples]))
        intervals = bootstrap.intervals(FIGURES, said, truth, subjects, resamples=resamples)
        rows[name] = {
            **{key: interval.as_dict() for key, interval in intervals.items()},
            "rmse": found.rmse,
            "rmse_sd": found.rmse_sd,
            "pair_accuracy": found.pair_accuracy,
            "srcc_within": found.srcc_within,
            "plcc_fitted": metrics.plcc(curve[name](values), truth) if curve and name in curve else None,
        }
        if name != MODEL:
            ahead = bootstrap.paired_difference(
                metrics.srcc, heard.predicted[MODEL], values, truth, subjects, resamples=resamples
            )
            rows[name]["model_leads_by_srcc"] = ahead.as_dict()
    return {"n": len(truth), "subjects": len(set(subjects)), "sd": float(truth.std()), "rows": rows}


def new_to_training(sample: Sample) -> bool:
    """Whether the scanner or the organ is in no other part of the pack."""
    return sample.organ in HELD_OUT_ORGANS or sample.vendor.startswith(HELD_OUT_SCANNERS)


def control(contents: list[Packed], scorer: Scores, heard: Heard, count: int, resamples: int) -> dict[str, Any]:
    """Return T6: how far harmless changes move the score, and what prompts and labels are worth."""
    random = np.random.default_rng(66)
    sources = sampling.slabs(contents, count, random)
    kept = [sampling.degraded(s, {}, 0) for s in sources]
    for number, source in enumerate(sources):  # the same of slightly noisy ones, where most real pictures lie
        name = ("ct_noise" if source.packed.prompt.modality == "CT" else "mr_noise") if number % 2 else "blur"
        kept.append(sampling.degraded(source, {name: 0.5}, number))
    before = np.array([scorer.score(s.volume, s.prompt).score for s in kept])
    moved = {}
    for name, change in controls.UNMOVED.items():
        delta = np.array([scorer.score(*change(s)).score for s in kept]) - before
        far = np.abs(delta)
        moved[name] = {
            "mean_absolute": float(far.mean()),
            "p90_absolute": float(np.percentile(far, 90)),
            "largest": float(far.max()),
            "mean": float(delta.mean()),
            "holds": bool(far.mean() < controls.LIMIT_POINTS and np.percentile(far, 90) < controls.LIMIT_POINTS),
        }
    truth, subjects = heard.quality, heard.subjects
    said = heard.predicted[MODEL]
    prompts = {}
    for name, others in (
        ("no prompt", [controls.no_prompt(s) for s in heard.samples]),
        ("prompt of another, same modality", controls.same_modality_prompts(heard.samples)),
        ("prompt of another", controls.shuffled_prompts(heard.samples)),
    ):
        values = np.array([scorer.score(s.volume, p).score for s, p in zip(heard.samples, others, strict=True)])
        cost = bootstrap.paired_difference(metrics.srcc, said, values, truth, subjects, resamples=resamples)
        prompts[name] = {"srcc": metrics.srcc(values, truth), "costs_srcc": cost.as_dict()}
    draws = [metrics.srcc(said, random.permutation(truth)) for _ in range(20)]
    return {
        "limit_points": controls.LIMIT_POINTS,
        "unmoved": moved,
        "prompts": prompts,
        "labels shuffled": {"srcc_mean": float(np.mean(draws)), "srcc_sd": float(np.std(draws))},
    }


def usable(heard: Heard, other: Heard, local: Heard) -> dict[str, Any]:
    """Return T7: coverage of intervals, risk by interval width, AUC of artefacts and of slices."""
    found: dict[str, Any] = {}
    for name, part in (("T1", heard), ("T3", other)):
        ends = np.array([e.interval for e in part.estimates]).reshape(-1, 2)
        truth = part.quality
        error = np.abs(part.predicted[MODEL] - truth)
        width = ends[:, 1] - ends[:, 0]
        sure = width <= np.median(width)
        found[f"interval {name}"] = {
            "nominal": 0.9,
            "coverage": float(((truth >= ends[:, 0]) & (truth <= ends[:, 1])).mean()),
            "mean_width": float(width.mean()),
            "mean_error": float(error.mean()),
            "mean_error_of_the_surer_half": float(error[sure].mean()),
            "out_of_domain_share": float(np.mean([not e.in_domain for e in part.estimates])),
        }
    attributes: dict[str, Any] = {}
    for attribute in sorted({a.attribute for a in REGISTRY.values()}):
        scores, present = [], []
        for sample, estimate in zip(heard.samples, heard.estimates, strict=True):
            strengths = [v for n, v in sample.artefacts.items() if REGISTRY[n].attribute == attribute]
            if attribute not in estimate.attributes or (strengths and max(strengths) < PRESENT):
                continue  # barely there: neither present nor absent
            scores.append(estimate.attributes[attribute])
            present.append(bool(strengths))
        value = metrics.auc(scores, present) if scores else None
        attributes[attribute] = {"auc": value, "present": int(sum(present)), "absent": int(len(present) - sum(present))}
    known = [a["auc"] for a in attributes.values() if a["auc"] is not None]
    found["attribute_auc"] = {"mean": float(np.mean(known)) if known else None, "each": attributes}
    places = [
        metrics.auc(-estimate.slice_scores, sample.affected)
        for sample, estimate in zip(local.samples, local.estimates, strict=True)
        if sample.affected is not None and np.isfinite(estimate.slice_scores).all()
    ]
    seen = [value for value in places if value is not None]
    found["slice_auc"] = {"mean": float(np.mean(seen)) if seen else None, "volumes": len(seen)}
    return found


def claims(tests: dict[str, Any]) -> dict[str, Any]:
    """Return the claims that were set before: each true, false, or not run."""
    needed = [tests.get(name) for name in ("T1", "T2", "T3")]
    run = [t for t in needed if isinstance(t, dict) and MODEL in t.get("rows", {})]

    def above(test: dict[str, Any]) -> bool:
        row = test["rows"][MODEL]
        return all(row[k]["low"] is not None and row[k]["low"] > limit for k, limit in PUBLISHED.items())

    def ahead(test: dict[str, Any]) -> bool | None:
        row = test["rows"].get("47 features + ExtraTrees")
        return None if row is None else bool((row["model_leads_by_srcc"]["low"] or 0.0) > 0)

    leads = [ahead(test) for test in run]
    return {
        "lower ends above 0.7476 SRCC and 0.7153 PLCC": {
            name: (above(test) if test in run else NOT_RUN)
            for name, test in zip(("T1", "T2", "T3"), needed, strict=True)
        },
        "paired interval against ExtraTrees above 0": {
            name: (NOT_RUN if test not in run else leads[run.index(test)])
            for name, test in zip(("T1", "T2", "T3"), needed, strict=True)
        },
    }


def benchmark(
    pack: Path,
    scorer: Scores,
    sizes: Sizes,
    without: dict[str, Scores] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Return the whole document. without: artefact → a scorer whose training never saw it."""
    parts: dict[str, list[Packed]] = {"fit": [], "select": [], "benchmark": []}
    for packed in volumes(pack):
        parts[packed.part].append(packed)
    empty = [name for name, listed in parts.items() if not listed]
    if empty:
        raise InputError(f"{pack} must have subjects in every part, got none in {', '.join(empty)}")
    progress(f"fitting baselines on {sizes.fit} samples")
    learned = list(sampling.samples(parts["fit"], sizes.fit, 50))
    fitted = fit_baselines(learned)
    progress("T0")
    t0 = hear(sampling.samples(parts["select"], sizes.t0, 51), scorer, fitted)
    curve = {name: metrics.fit_logistic(values, t0.quality / 100.0) for name, values in t0.predicted.items()}
    progress("T1")
    t1 = hear(sampling.samples(parts["benchmark"], sizes.t1, 52), scorer, fitted)
    progress("T3")
    t3 = hear(sampling.samples(parts["benchmark"], sizes.t3, 53, independent=True), scorer, fitted)
    tests: dict[str, Any] = {
        "T0": compare(t0, sizes.resamples, curve),
        "T1": compare(t1, sizes.resamples, curve),
        "T3": compare(t3, sizes.resamples, curve),
    }
    for name, heard in (("T1", t1), ("T3", t3)):
        for label, chosen in (
            ("new scanner or organ", np.array([new_to_training(s) for s in heard.samples])),
            ("CT", np.array([s.modality == "CT" for s in heard.samples])),
            ("MR", np.array([s.modality == "MR" for s in heard.samples])),
        ):
            if chosen.sum() >= 10:
                tests[f"{name} {label}"] = compare(heard.some(chosen), sizes.resamples, curve)
    tests["T2"] = unseen(parts["benchmark"], learned, without or {}, sizes, progress)
    tests["T4"] = f"{NOT_RUN}: real pairs (thick and thin, full and low dose, still and moving) are not in a pack"
    tests["T5"] = f"{NOT_RUN}: use evaluate and finetune on pictures with human scores"
    progress("T6")
    tests["T6"] = control(parts["benchmark"], scorer, t1, sizes.controls, sizes.resamples)
    progress("T7")
    local = hear(sampling.local_samples(parts["benchmark"], sizes.local, 57), scorer, {})
    tests["T7"] = usable(t1, t3, local)
    left_out = {n: f"{NOT_RUN}: {why}" for n, why in baselines.NOT_RUN.items()}
    if not fitted:
        left_out |= dict.fromkeys(baselines.BASELINES, f"{NOT_RUN}: scikit-learn is not installed")
    identity = scorer.identity
    return {
        "schema": SCHEMA,
        "model": {"name": identity.name, "version": identity.version, "sha256": identity.sha256},
        "labels": "full-reference distance inside the body, quality 0-1; stands in for readers and is not one",
        "baseline_samples": len(learned),
        "published": {"what": "CMMIQA on its own 3D database; other data, so a yardstick only", **PUBLISHED},
        "tests": tests,
        "claims": claims(tests),
        "baselines_not_run": left_out,
    }


def unseen(
    contents: list[Packed],
    learned: list[Sample],
    without: dict[str, Scores],
    sizes: Sizes,
    progress: Callable[[str], None],
) -> Any:
    """Return T2: each left-out artefact judged by the model that never saw it, all together and one by one."""
    if not without:
        return f"{NOT_RUN}: needs bundles trained without one artefact (--without NAME=DIR)"
    each: dict[str, Heard] = {}
    for name, scorer in without.items():
        progress(f"T2 without {name}")
        others = [s for s in learned if name not in s.artefacts]
        asked = sampling.samples(contents, sizes.t2, 54, only=frozenset({name}))
        each[name] = hear(asked, scorer, fit_baselines(others))
    whole = Heard(
        [s for heard in each.values() for s in heard.samples],
        [e for heard in each.values() for e in heard.estimates],
        {
            key: np.concatenate([heard.predicted[key] for heard in each.values()])
            for key in next(iter(each.values())).predicted
        },
    )
    return {
        **compare(whole, sizes.resamples),
        "each": {name: compare(heard, sizes.resamples)["rows"] for name, heard in each.items()},
    }


def main(arguments: list[str]) -> int:
    """Run the benchmark, write the JSON and print the table."""
    from qagate.score.scorer import Scorer

    parser = argparse.ArgumentParser(prog="qagate train benchmark", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--model", type=Path, default=None, help="folder of a bundle; the shipped one if not given")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--quick", action="store_true", help="a handful of samples, to see that everything runs")
    parser.add_argument("--without", action="append", default=[], metavar="NAME=DIR", help="bundle that never saw NAME")
    options = parser.parse_args(arguments)
    without: dict[str, Scores] = {}
    for text in options.without:
        name, _, folder = text.partition("=")
        if name not in REGISTRY or not folder:
            raise InputError(f"--without must be ARTEFACT=FOLDER with one of {', '.join(REGISTRY)}, got {text}")
        without[name] = Scorer.load(Path(folder))
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", file=sys.stderr, flush=True)

    found = benchmark(options.pack, Scorer.load(options.model), QUICK if options.quick else Sizes(), without, progress)
    found["quick"] = bool(options.quick)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    return 0
