"""Export: calibrate a checkpoint and write a bundle.

    python -m qagate.train export PACK FIT_DIR OUT_DIR [--checkpoint best | --network BUNDLE] [--eye FILE]

An assessor and a practised eye that lie in FIT_DIR go into the bundle too. With --network the network is that of
another bundle, with its temperature, what is usual of it and its eye; so are assessor and practised eye where FIT_DIR
has none. Only the rest is calibrated anew. The select part gives temperature, the shares of the assessor's judges,
those of network, assessor and practised eye, map and intervals; fit and select together give what is usual. The
benchmark part is not looked at. Subjects of every part are listed in parts.json in the bundle.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qagate.domain.assessment import ModelIdentity
from qagate.domain.prompt import Prompt
from qagate.errors import InputError
from qagate.score import bundle
from qagate.score.assessor import Assessor
from qagate.score.calibration import Calibration
from qagate.score.practised import Practised
from qagate.score.scorer import Scorer
from qagate.score.vocabulary import VALUES, WORDS, Seen, encode
from qagate.train import calibrate, checkpoint, eye, fit
from qagate.train.degrade import REGISTRY
from qagate.train.pack import Packed, header, volumes

NAME = "qagate-iqa"


def main(arguments: list[str]) -> int:
    """Write a bundle and print what calibration measured."""
    parser = argparse.ArgumentParser(
        prog="qagate train export", description="Calibrate a checkpoint and write a bundle."
    )
    parser.add_argument("pack", type=Path)
    parser.add_argument("fit", type=Path, help="folder of fit")
    parser.add_argument("out", type=Path, help="folder of the bundle, <name>-<version>")
    parser.add_argument("--version", default="0.9.0")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument("--network", type=Path, default=None, help="bundle whose network is kept")
    parser.add_argument("--eye", type=Path, default=None, help="published weights of EfficientNet-Lite0; see train.eye")
    parser.add_argument(
        "--groups", type=int, default=60, help="groups of crops of each part, for temperature and usual"
    )
    parser.add_argument("--samples", type=int, default=300, help="volumes of each simulator, for shares and intervals")
    options = parser.parse_args(arguments)
    kept = list(volumes(options.pack, ("select",)))
    if options.network is not None:
        begun = bundle.load(options.network)
        training = dict(begun.about["training"])
    else:
        begun, training = _fitted(options.pack, options.fit / options.checkpoint, kept, options.groups)
    seeing = begun.eye if options.eye is None else eye.read(options.eye)
    identity = ModelIdentity(NAME, options.version, "0" * 64)
    unfinished = replace(
        begun,
        folder=options.out,
        identity=identity,
        assessor=Assessor.load_from(options.fit) or begun.assessor,
        practised=Practised.load_from(options.fit) or begun.practised,
    )
    heard = calibrate.hear(Scorer(unfinished, torch.device("cpu")), kept, options.samples, 43)
    if unfinished.assessor is not None:
        weighed = unfinished.assessor.weighed(calibrate.shares_of_judges(heard))
        unfinished = replace(unfinished, assessor=weighed)
        heard = calibrate.hear(Scorer(unfinished, torch.device("cpu")), kept, options.samples, 43)
    calibration = calibrate.calibrate(heard, begun.calibration)
    digest = bundle.save(
        options.out, begun.network, calibration, begun.seen, NAME, options.version,
        {"about": _about(), "training": training}, unfinished.assessor, seeing, unfinished.practised,
    )  # fmt: skip
    parts: dict[str, list[str]] = {"fit": [], "select": [], "benchmark": []}
    for entry in header(options.pack)["volumes"]:
        parts[entry["part"]].append(f"{entry['subject']} ({entry['organ']}, {entry['vendor']})")
    text = json.dumps({part: sorted(set(names)) for part, names in parts.items()}, indent=1)
    (options.out / "parts.json").write_text(text + "\n")
    print(json.dumps({"sha256": digest, "step": training["steps"], **calibrate.report(heard, calibration)}, indent=1))
    return 0


def _fitted(pack: Path, folder: Path, kept: Sequence[Packed], groups: int) -> tuple[bundle.Bundle, dict[str, Any]]:
    """Return a checkpoint as a bundle with its temperature and what is usual, and how it was trained."""
    try:
        plan = fit.Plan(**json.loads((folder / "state.json").read_text())["plan"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} must hold a checkpoint of fit, got {error}") from error
    fitted = list(volumes(pack, ("fit",)))
    run = fit.start(plan, len(fitted))
    meta = checkpoint.restore(run, folder)
    network = run.ema.to("cpu").eval()
    crops = calibrate.listen(network, kept, groups, 41)
    usual = calibrate.listen(network, fitted, groups, 42)
    calibration = calibrate.usual_of(
        Calibration(temperature=calibrate.temperature(crops)), np.concatenate([usual.pooled, crops.pooled])
    )
    known = seen([v.prompt for v in fitted])
    identity = ModelIdentity(NAME, "0", "0" * 64)
    made = bundle.Bundle(folder, identity, plan.architecture, calibration, known, {}, network)
    return made, _training(plan, meta, pack, fitted, kept)


def seen(prompts: Sequence[Prompt]) -> Seen:
    """Return which words and values occurred in training."""
    words, values = set(), set()
    for prompt in prompts:
        coded = encode(prompt, (1.0, 1.0, 1.0), 10)
        for place, (name, listed) in enumerate(WORDS.items()):
            if index := int(coded.words[0, place]):
                words.add(f"{name}:{listed[index - 1]}")
        words |= {f"region:{region}" for region in prompt.regions}
        values |= {name for name, there in zip(VALUES, coded.present[0].tolist(), strict=True) if there}
    return Seen(frozenset(words), frozenset(values))


def _about() -> dict[str, Any]:
    return {
        "licence": "Apache-2.0 (weights); training volumes under the licences in card.md",
        "eye": eye.SOURCE,
        "preprocessing": "qagate.score.preprocess of the same version",
        "score": "0-100, 100 best",
        "intended_use": "triage of technical image quality of CT and MR; no medical device, no diagnosis",
    }


def _training(
    plan: fit.Plan, meta: Mapping[str, Any], pack: Path, fitted: Sequence[Packed], kept: Sequence[Packed]
) -> dict[str, Any]:
    with pack.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "steps": meta["step"],
        "minutes": round(float(meta["seconds"]) / 60, 1),
        "seed": plan.seed,
        "size": plan.size,
        "groups_per_step": plan.groups,
        "device": plan.device,
        "ranking": plan.ranking,
        "nuisance": plan.nuisance,
        "pack_sha256": digest,
        "fit_subjects": len({v.subject for v in fitted}),
        "select_subjects": len({v.subject for v in kept}),
        "artefacts": sorted(REGISTRY),
    }
