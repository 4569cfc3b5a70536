"""Export: calibrate a checkpoint and write a bundle.

    python -m qagate.train export PACK FIT_DIR OUT_DIR [--version 0.1.0] [--checkpoint best]

The select part gives temperature, map and intervals; fit and select together give what is usual. The benchmark part
is not looked at. Subjects of every part are listed in parts.json in the bundle.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize, stats

from qagate.domain.prompt import Prompt
from qagate.errors import InputError
from qagate.score import bundle
from qagate.score.calibration import NARROWEST, Calibration
from qagate.score.network import Network
from qagate.score.vocabulary import VALUES, WORDS, Seen, encode
from qagate.train import data, fit
from qagate.train.degrade import REGISTRY
from qagate.train.losses import soft_bins
from qagate.train.pack import Packed, header, volumes

NAME = "qagate-iqa"
COVERAGE = 0.9
DIRECTIONS = 24
"""Main directions of the pooled features that are kept for the distance to training."""
LENIENCE = 3.0
"""Out of domain begins at so many times the largest distance in training: other body parts must stay in."""
KNOTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What the network said of many crops. logits: (n, 21); score, target: (n,); pooled: (n, c)."""

    logits: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    target: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    pooled: npt.NDArray[np.float64]
    modality: npt.NDArray[np.str_]
    subject: npt.NDArray[np.str_]
    group: npt.NDArray[np.intp]


def main(arguments: list[str]) -> int:
    """Write a bundle and print what calibration measured."""
    parser = argparse.ArgumentParser(
        prog="qagate train export", description="Calibrate a checkpoint and write a bundle."
    )
    parser.add_argument("pack", type=Path)
    parser.add_argument("fit", type=Path, help="folder of fit")
    parser.add_argument("out", type=Path, help="folder of the bundle, <name>-<version>")
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument("--groups", type=int, default=60, help="groups of each part to calibrate with")
    options = parser.parse_args(arguments)
    folder: Path = options.fit / options.checkpoint
    try:
        plan = fit.Plan(**json.loads((folder / "state.json").read_text())["plan"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} must hold a checkpoint of fit, got {error}") from error
    fitted, kept = list(volumes(options.pack, ("fit",))), list(volumes(options.pack, ("select",)))
    run = fit.start(plan, len(fitted))
    meta = fit.restore(run, folder)
    network = run.ema.to("cpu").eval()
    said = listen(network, kept, options.groups, 41)
    usual = listen(network, fitted, options.groups, 42)
    calibration = calibrate(said, usual)
    digest = bundle.save(
        options.out, network, calibration, seen([v.prompt for v in fitted]), NAME, options.version,
        {"about": _about(), "training": _training(plan, meta, options.pack, fitted, kept)},
    )  # fmt: skip
    parts: dict[str, list[str]] = {"fit": [], "select": [], "benchmark": []}
    for entry in header(options.pack)["volumes"]:
        parts[entry["part"]].append(f"{entry['subject']} ({entry['organ']}, {entry['vendor']})")
    text = json.dumps({part: sorted(set(names)) for part, names in parts.items()}, indent=1)
    (options.out / "parts.json").write_text(text + "\n")
    print(json.dumps({"sha256": digest, "step": meta["step"], **_report(said, calibration)}, indent=1))
    return 0


@torch.no_grad()
def listen(network: Network, contents: Sequence[Packed], count: int, seed: int) -> Said:
    """Return what the network says of `count` groups, each picture in a guise of its own."""
    groups = data.Groups(contents, REGISTRY, seed)
    generator = torch.Generator().manual_seed(seed)
    columns: dict[str, list[Any]] = {k: [] for k in ("logits", "score", "target", "spread", "pooled")}
    modality, subject, number = [], [], []
    for index in range(count):
        group = groups.make(index)
        batch = data.batch([group], contents, REGISTRY, generator)
        aim = fit.aim(batch, torch.zeros(len(contents)), "cpu")
        prediction = network(batch.pictures, batch.fields, batch.prompts)[0]
        for name, value in zip(
            columns, (prediction.logits, prediction.score, aim.score, aim.spread, prediction.pooled), strict=True
        ):
            columns[name].append(value[:-1].double().numpy())
        size = len(prediction.logits) - 1
        modality += [group.modality] * size
        subject += [contents[group.packed].subject] * size
        number += [index] * size
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    return Said(**joined, modality=np.array(modality), subject=np.array(subject), group=np.array(number))


def calibrate(said: Said, usual: Said) -> Calibration:
    """Return temperature, map, intervals and what is usual."""
    temperature = _temperature(said)
    logits = said.logits / temperature
    shares = np.exp(logits - logits.max(1, keepdims=True))
    score = (shares / shares.sum(1, keepdims=True)) @ np.linspace(0, 1, shares.shape[1])
    knots_from, knots_to = monotone(score, said.target)
    mapped = np.interp(score, knots_from, knots_to)
    bins = np.linspace(0, 1, shares.shape[1])
    shares /= shares.sum(1, keepdims=True)
    spread = 100 * np.sqrt(np.maximum(0.0, shares @ bins**2 - score**2))
    residual = np.abs(mapped - 100 * said.target) / np.maximum(spread, NARROWEST)
    halves = {m: _half_width(residual[said.modality == m], said.subject[said.modality == m]) for m in ("CT", "MR")}
    pooled = np.concatenate([usual.pooled, said.pooled])
    mean = pooled.mean(0)
    values, vectors = np.linalg.eigh(np.cov((pooled - mean).T) + 1e-6 * np.eye(len(mean)))
    chosen = np.argsort(values)[::-1][:DIRECTIONS]
    directions = (vectors[:, chosen] / np.sqrt(values[chosen] + 0.02 * values.max())).T
    whitened = (pooled - mean) @ directions.T
    distance = np.sqrt((whitened**2).mean(1))
    return Calibration(
        temperature=temperature,
        knots_from=tuple(knots_from),
        knots_to=tuple(knots_to),
        multiples={m: h for m, h in halves.items() if h > 0} or {"CT": 3.0, "MR": 3.0},
        mean=tuple(mean),
        directions=tuple(tuple(row) for row in directions),
        usual=round(float(np.quantile(distance, 0.95)), 4),
        unusual=round(float(LENIENCE * distance.max()), 4),
    )


def monotone(said: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Return knots of a rising map from network scores to 0-100: means of equal parts, pooled where they fall."""
    order = np.argsort(said)
    parts = [p for p in np.array_split(order, KNOTS) if len(p)]
    pooled = [[float(said[p].mean()), float(target[p].mean()), len(p)] for p in parts]
    while True:  # pool adjacent violators
        wrong = [i for i in range(len(pooled) - 1) if pooled[i + 1][1] < pooled[i][1]]
        if not wrong:
            break
        a, b = pooled[wrong[0]], pooled.pop(wrong[0] + 1)
        weight = a[2] + b[2]
        pooled[wrong[0]] = [(a[0] * a[2] + b[0] * b[2]) / weight, (a[1] * a[2] + b[1] * b[2]) / weight, weight]
    knots_from, knots_to = [0.0], [0.0]
    for x, y, _ in pooled:
        if x > knots_from[-1] + 1e-3:
            knots_from.append(min(x, 0.999))
            knots_to.append(min(100.0, max(knots_to[-1], 100.0 * y)))
    return [*knots_from, 1.0], [*knots_to, 100.0]


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


def _temperature(said: Said) -> float:
    """Return the temperature with the best likelihood of the soft labels."""
    wanted = soft_bins(torch.from_numpy(said.target), torch.from_numpy(said.spread)).numpy()

    def loss(logarithm: float) -> float:
        logits = said.logits / np.exp(logarithm)
        logits = logits - logits.max(1, keepdims=True)
        return float(-(wanted * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1).mean())

    found = optimize.minimize_scalar(loss, bounds=(-1.0, 1.5), method="bounded")
    return float(round(np.exp(found.x), 4))


def _half_width(residual: npt.NDArray[np.float64], subject: npt.NDArray[np.str_]) -> float:
    """Return the residual that 90 % do not exceed; each subject counts the same.

    With the few subjects there are, the correction of split conformal would take the largest residual of all, and
    intervals would say nothing. Without it coverage of new subjects is not guaranteed, only measured.
    """
    if not len(residual):
        return 0.0
    names, counts = np.unique(subject, return_counts=True)
    weight = 1.0 / counts[np.searchsorted(names, subject)]
    order = np.argsort(residual)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(residual[order][min(len(order) - 1, int(np.searchsorted(share, COVERAGE)))])


def _report(said: Said, calibration: Calibration) -> Mapping[str, Any]:
    inside = [
        float(stats.spearmanr(said.score[said.group == g], said.target[said.group == g]).statistic)
        for g in np.unique(said.group)
        if np.ptp(said.target[said.group == g]) > 0.05 and np.ptp(said.score[said.group == g]) > 0
    ]
    found: dict[str, Any] = {"temperature": calibration.temperature, "multiples": dict(calibration.multiples)}
    for modality in ("CT", "MR"):
        of = said.modality == modality
        if of.sum() > 2:
            found[f"srcc_{modality}"] = round(float(stats.spearmanr(said.score[of], said.target[of]).statistic), 3)
    found["srcc_within_content"] = round(float(np.mean(inside)), 3) if inside else None
    return found


def _about() -> dict[str, Any]:
    return {
        "licence": "Apache-2.0 (weights); training volumes under the licences in card.md",
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
