"""Benchmark: T0 to T7 for one bundle and every baseline, with intervals over subjects.

    python -m qagate.train benchmark PACK --model DIR --out benchmark.json [--quick | --share 0.5] [--parts FILE]
        [--unseen FILE] [--ablations FILE] [--contrasts FILE]

T0 select subjects, same simulator (sanity). T1 the benchmark part: subjects never seen, most from scanners or organs
never seen. T2 families of artefacts left out of training: from `unseen`; what parts of the model are worth: from
`parts`; other networks and ablations of ours: from `ablate`. T3 another simulator. T4 real pairs of a better and a
worse picture: from `contrasts`. T5 human raters: `evaluate`, on data that are not in a pack. T6 controls. T7 intervals,
artefacts and slices. Baselines learn from samples of the fit part. What was not run says so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from qagate.errors import InputError
from qagate.train import baselines, controls, judges, metrics, sampling
from qagate.train.claims import NOT_RUN, PUBLISHED, claims
from qagate.train.evaluate import Scores
from qagate.train.heard import SEEDS, compare, fit_baselines, hear
from qagate.train.pack import HELD_OUT_ORGANS, HELD_OUT_SCANNERS, Packed, volumes
from qagate.train.progress import teller
from qagate.train.sampling import Sample
from qagate.train.table import table
from qagate.train.usable import usable

SCHEMA = "qagate.benchmark/3"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many samples of each kind."""

    fit: int = 360
    t0: int = 100
    t1: int = 320
    t2: int = 40
    t3: int = 240
    controls: int = 24
    prompts: int = 120
    local: int = 40
    resamples: int = 1000

    def scaled(self, share: float) -> Sizes:
        """Return a share of the samples that the model judges. Raises InputError for a share that is not 0..1.

        What baselines learn from stays, so that they are not weaker for it.
        """
        if not 0 < share <= 1:
            raise InputError(f"--share must be above 0 and at most 1, got {share}")
        names = ("t0", "t1", "t2", "t3", "controls", "prompts", "local")
        return replace(self, **{name: max(4, round(share * getattr(self, name))) for name in names})


QUICK = Sizes(fit=40, t0=12, t1=24, t2=4, t3=16, controls=6, prompts=12, local=6, resamples=100)


def new_to_training(sample: Sample) -> bool:
    """Whether the scanner or the organ is in no other part of the pack."""
    return sample.organ in HELD_OUT_ORGANS or sample.vendor.startswith(HELD_OUT_SCANNERS)


def benchmark(
    pack: Path,
    scorer: Scores,
    sizes: Sizes,
    ablations: dict[str, Any] | None = None,
    progress: Callable[[str], None] = lambda text: None,
    worth: dict[str, Any] | None = None,
    real: dict[str, Any] | None = None,
    unseen: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the whole document.

    ablations: what `ablate` found; worth: what `parts` found; real: what `contrasts` found, T4; unseen: what `unseen`
    found, T2.
    """
    parts: dict[str, list[Packed]] = {"fit": [], "select": [], "benchmark": []}
    for packed in volumes(pack):
        parts[packed.part].append(packed)
    empty = [name for name, listed in parts.items() if not listed]
    if empty:
        raise InputError(f"{pack} must have subjects in every part, got none in {', '.join(empty)}")
    progress(f"fitting baselines on {sizes.fit} samples")
    learned = list(sampling.samples(parts["fit"], sizes.fit, SEEDS["learned"]))
    fitted = fit_baselines(learned)
    progress("T0")
    t0 = hear(sampling.samples(parts["select"], sizes.t0, SEEDS["T0"]), scorer, fitted)
    curve = {name: metrics.fit_logistic(values, t0.quality / 100.0) for name, values in t0.predicted.items()}
    progress("T1")
    t1 = hear(sampling.samples(parts["benchmark"], sizes.t1, SEEDS["T1"]), scorer, fitted)
    progress("T3")
    t3 = hear(sampling.samples(parts["benchmark"], sizes.t3, SEEDS["T3"], independent=True), scorer, fitted)
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
    tests["T2"] = (unseen or {}).get("tests", {}).get("T2", f"{NOT_RUN}: comes from `unseen` (--unseen)")
    tests["T4"] = (real or {}).get("tests", {}).get("T4", f"{NOT_RUN}: comes from `contrasts` (--contrasts)")
    tests["T5"] = f"{NOT_RUN}: use evaluate and finetune on pictures with human scores"
    progress("judges")
    alone = judges.measure({"T1": t1, "T3": t3}, scorer, sizes.resamples)
    progress("T6")
    tests["T6"] = controls.measure(
        parts["benchmark"], scorer, t1.some(np.arange(len(t1.samples)) < sizes.prompts), sizes.controls, sizes.resamples
    )
    progress("T7")
    local = hear(sampling.local_samples(parts["benchmark"], sizes.local, SEEDS["T7"]), scorer, {})
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
        "sizes": asdict(sizes),
        "published": {"what": "CMMIQA on its own 3D database; other data, so a yardstick only", **PUBLISHED},
        "tests": tests,
        "judges": alone,
        "unseen": unseen or f"{NOT_RUN}: see `unseen`",
        "parts": worth or f"{NOT_RUN}: see `parts`",
        "ablations": ablations or f"{NOT_RUN}: see `ablate`",
        "claims": claims(tests),
        "baselines_not_run": left_out,
    }


def read(path: Path) -> dict[str, Any]:
    """Return a JSON document. Raises InputError."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be a readable JSON document, got {error}") from error
    return found


def main(arguments: list[str]) -> int:
    """Run the benchmark, write the JSON and print the table."""
    from qagate.score.scorer import Scorer

    parser = argparse.ArgumentParser(prog="qagate train benchmark", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--model", type=Path, default=None, help="folder of a bundle; the shipped one if not given")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--quick", action="store_true", help="a handful of samples, to see that everything runs")
    parser.add_argument("--share", type=float, default=1.0, help="share of the samples that are judged")
    parser.add_argument("--parts", type=Path, default=None, help="parts.json of `parts`")
    parser.add_argument("--unseen", type=Path, default=None, help="unseen.json of `unseen`")
    parser.add_argument("--ablations", type=Path, default=None, help="ablations.json of `ablate`")
    parser.add_argument("--contrasts", type=Path, default=None, help="contrasts.json of `contrasts`")
    options = parser.parse_args(arguments)
    others = (options.ablations, options.parts, options.contrasts, options.unseen)
    ablations, worth, real, unseen = (None if path is None else read(path) for path in others)
    sizes = QUICK if options.quick else Sizes().scaled(options.share)
    progress = teller()
    found = benchmark(options.pack, Scorer.load(options.model), sizes, ablations, progress, worth, real, unseen)
    found["quick"] = bool(options.quick)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    return 0
