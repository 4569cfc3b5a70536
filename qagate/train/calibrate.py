"""Calibrate: from what the judges say of the select part to their shares, a map to 0-100 and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize, stats

from qagate.domain.assessment import ATTRIBUTES
from qagate.score.calibration import NARROWEST, Calibration, weighed
from qagate.score.heard import Heard
from qagate.score.network import Network
from qagate.score.scorer import Scorer
from qagate.train import data, fit, sampling
from qagate.train.degrade import REGISTRY
from qagate.train.losses import soft_bins
from qagate.train.metrics import auc
from qagate.train.pack import Packed

COVERAGE = 0.9
DIRECTIONS = 24
"""Main directions of the pooled features that are kept for the distance to training."""
LENIENCE = 3.0
"""Out of domain begins at so many times the largest distance in training: other body parts must stay in."""
KNOTS = 8
TENTHS = tuple((a / 10, b / 10) for a in range(11) for b in range(11 - a))
"""Shares that assessor and practised eye may have; the rest is the network's."""
NEAR = 0.002
"""Rank correlations that differ by less are alike."""
JUDGES, LEAST = 3, 2
"""Kinds of judges in an assessor: perceptrons, forest, boosted trees; tenths that each has at least."""
CLEAR = 0.3
"""Strength from which an artefact must be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What the network said of many crops. logits: (n, 21); target, spread: (n,); pooled: (n, c)."""

    logits: npt.NDArray[np.float64]
    target: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    pooled: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was said of volumes. network, assessor, practised: (n, 2) score and spread 0..1; grades: (n, 3, 18) theirs.

    A judge that is not there says what the network says. judges: (n, 3) scores of the assessor's perceptrons, forest
    and boosted trees. present: (n, 18) strength of the artefacts that are there; quality: (n,) 0..1, the truth.
    independent: (n,) whether the artefacts are those of the independent simulator.
    """

    network: npt.NDArray[np.float64]
    assessor: npt.NDArray[np.float64]
    practised: npt.NDArray[np.float64]
    judges: npt.NDArray[np.float64]
    grades: npt.NDArray[np.float64]
    present: npt.NDArray[np.float64]
    quality: npt.NDArray[np.float64]
    modality: npt.NDArray[np.str_]
    subject: npt.NDArray[np.str_]
    independent: npt.NDArray[np.bool_]

    def mixed(self, calibration: Calibration) -> npt.NDArray[np.float64]:
        """Return what all say together, (n, 2) score and spread."""
        return calibration.mixed(self.network, self.assessor, self.practised, list(self.modality))


@torch.no_grad()
def listen(network: Network, contents: Sequence[Packed], count: int, seed: int) -> Said:
    """Return what the network says of `count` groups, each picture in a guise of its own."""
    groups = data.Groups(contents, REGISTRY, seed)
    generator = torch.Generator().manual_seed(seed)
    columns: dict[str, list[Any]] = {k: [] for k in ("logits", "target", "spread", "pooled")}
    for index in range(count):
        group = groups.make(index)
        batch = data.batch([group], contents, REGISTRY, generator)
        aim = fit.aim(batch, torch.zeros(len(contents)), "cpu")
        prediction = fit.look(network, batch, "cpu")[0]
        for name, value in zip(columns, (prediction.logits, aim.score, aim.spread, prediction.pooled), strict=True):
            columns[name].append(value[:-1].double().numpy())
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    return Said(**joined)


def hear(scorer: Scorer, contents: Sequence[Packed], count: int, seed: int) -> Answers:
    """Return what all say of `count` samples of each simulator, as volumes are scored in use."""
    rows = []
    worst_share = scorer.model.calibration.worst_share
    for independent in (False, True):
        for sample in sampling.samples(contents, count, seed, independent=independent):
            heard = scorer.hear(sample.volume, sample.prompt)
            network = heard.network(worst_share)
            assessor, practised = (judge(worst_share) or network for judge in (heard.assessor, heard.practised))
            present = np.zeros(len(ATTRIBUTES))
            for name, strength in sample.artefacts.items():
                if name in REGISTRY:  # those of the independent simulator have names of their own
                    place = ATTRIBUTES.index(REGISTRY[name].attribute)
                    present[place] = max(present[place], strength)
            grades = np.stack([heard.grades(0.0, 0.0), heard.grades(1.0, 0.0), heard.grades(0.0, 1.0)])
            about = (sample.quality / 100, sample.modality, sample.subject, independent)
            judges = _judges(scorer, heard) or [network[0]] * JUDGES
            rows.append((network, assessor, practised, judges, grades, present, *about))
    return Answers(*(np.array(column) for column in zip(*rows, strict=True)))


def _judges(scorer: Scorer, heard: Heard) -> list[float]:
    """Return what each kind of the assessor's judges says of a volume, 0..1; nothing without an assessor."""
    described = [looked.described for looked in heard.tiles if looked is not None]
    if scorer.model.assessor is None or not described:
        return []
    tiles = np.concatenate(described)
    alone = np.eye(JUDGES)
    return [float(scorer.model.assessor.judge(tiles, heard.modality, shares).score.mean()) for shares in alone]


def shares_of_judges(heard: Answers) -> dict[str, tuple[float, ...]]:
    """Return modality → shares of the assessor's judges, in tenths, with the best rank correlation (`_agreement`).

    Each keeps a fifth: the select part has few subjects, and one odd one must not silence a judge.
    """
    tenths = [(a, b, 10 - a - b) for a in range(LEAST, 11) for b in range(LEAST, 11 - a) if 10 - a - b >= LEAST]

    def best(modality: str) -> tuple[float, ...]:
        found = max(tenths, key=lambda shares: _agreement(heard, modality, heard.judges @ np.array(shares)))
        return tuple(share / 10.0 for share in found)

    return {modality: best(modality) for modality in ("CT", "MR")}


def calibrate(heard: Answers, begun: Calibration) -> Calibration:
    """Return `begun` with the shares of the judges, the map to 0-100 and the intervals."""
    best = {modality: _best_shares(heard, modality) for modality in ("CT", "MR")}
    graded = _best_grade_shares(heard)
    shares = replace(
        begun,
        assessor_share={modality: share for modality, (share, _) in best.items()},
        practised_share={modality: share for modality, (_, share) in best.items()},
        grade_share=graded[0],
        practised_grade_share=graded[1],
    )
    value, spread = heard.mixed(shares).T
    knots_from, knots_to = monotone(value, heard.quality)
    mapped = np.interp(value, knots_from, knots_to)
    residual = np.abs(mapped - 100 * heard.quality) / np.maximum(100 * spread, NARROWEST)
    halves = {m: _half_width(residual[heard.modality == m], heard.subject[heard.modality == m]) for m in ("CT", "MR")}
    multiples = {m: h for m, h in halves.items() if h > 0} or {"CT": 3.0, "MR": 3.0}
    return replace(shares, knots_from=tuple(knots_from), knots_to=tuple(knots_to), multiples=multiples)


def _best_shares(heard: Answers, modality: str) -> tuple[float, float]:
    """Return the shares of assessor and practised eye with the best rank correlation, the most even of those near it.

    The select part has few subjects: for less than `NEAR` no judge loses its say.
    """
    said = (heard.network[:, 0], heard.assessor[:, 0], heard.practised[:, 0])
    found = {shares: _agreement(heard, modality, weighed(_all(shares), said)) for shares in TENTHS}
    near = [shares for shares, agreement in found.items() if agreement > max(found.values()) - NEAR]
    return min(near, key=lambda shares: sum(share**2 for share in _all(shares)))


def _all(shares: tuple[float, float]) -> tuple[float, float, float]:
    """Return the shares of all judges, the network's first, so that their sum is 1."""
    return (1.0 - sum(shares), *shares)


def _agreement(heard: Answers, modality: str, value: npt.NDArray[np.float64]) -> float:
    """Return the rank correlation of values with the truth in a modality, each simulator counting the same.

    By training's simulator alone the assessor would judge nearly alone: it learned just those faults by heart.
    """
    kinds = [(heard.modality == modality) & (heard.independent == kind) for kind in (False, True)]
    found = [stats.spearmanr(value[of], heard.quality[of]).statistic for of in kinds if of.sum() > 2]
    return float(np.nan_to_num(np.mean(found))) if found else 0.0


def _best_grade_shares(heard: Answers) -> tuple[float, float]:
    """Return the shares of assessor and practised eye in the grades that tell artefacts best."""

    def told(shares: tuple[float, float]) -> float:
        grades = weighed(_all(shares), heard.grades.swapaxes(0, 1))
        found = []
        for of in _by(heard.modality):
            of = of & ~heard.independent
            for place in range(len(ATTRIBUTES)):
                strength = heard.present[of, place]
                clear = (strength == 0) | (strength >= CLEAR)
                value = auc(grades[of, place][clear], strength[clear] > 0)
                found += [] if value is None else [value]
        return float(np.mean(found)) if found else 0.0

    return max(TENTHS, key=told)


def _by(modality: npt.NDArray[np.str_]) -> list[npt.NDArray[np.bool_]]:
    """Return for each modality with enough samples where it is."""
    return [modality == m for m in np.unique(modality) if (modality == m).sum() > 2]


def usual_of(calibration: Calibration, pooled: npt.NDArray[np.float64]) -> Calibration:
    """Return the calibration with what is usual of pooled features, (n, c)."""
    mean = pooled.mean(0)
    values, vectors = np.linalg.eigh(np.cov((pooled - mean).T) + 1e-6 * np.eye(len(mean)))
    chosen = np.argsort(values)[::-1][:DIRECTIONS]
    directions = (vectors[:, chosen] / np.sqrt(values[chosen] + 0.02 * values.max())).T
    distance = np.sqrt((((pooled - mean) @ directions.T) ** 2).mean(1))
    return replace(
        calibration,
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


def temperature(said: Said) -> float:
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


def report(heard: Answers, calibration: Calibration) -> Mapping[str, Any]:
    """Return what was chosen, and how well each judge and all agree with the truth: rank correlations, RMSE (0..1).

    width_CT, width_MR: mean width of the 90 % intervals, in points.
    """
    found: dict[str, Any] = {
        "temperature": calibration.temperature,
        "assessor_share": dict(calibration.assessor_share),
        "practised_share": dict(calibration.practised_share),
        "grade_share": calibration.grade_share,
        "practised_grade_share": calibration.practised_grade_share,
        "multiples": dict(calibration.multiples),
    }
    mixed, spread = heard.mixed(calibration).T
    for modality in np.unique(heard.modality):
        of = heard.modality == modality
        for words, kind in (("", of & ~heard.independent), ("independent_", of & heard.independent)):
            judges = {name: getattr(heard, name)[:, 0] for name in ("network", "assessor", "practised")}
            for name, value in {**judges, "all": mixed}.items():
                if kind.sum() > 2:
                    agreement = float(stats.spearmanr(value[kind], heard.quality[kind]).statistic)
                    found[f"srcc_{words}{modality}_{name}"] = round(agreement, 3)
        if of.sum() > 2:
            width = 200 * calibration.multiples.get(str(modality), 3.0) * np.maximum(spread[of], NARROWEST / 100)
            found[f"width_{modality}"] = round(float(width.mean()), 1)
    found["srcc"] = round(float(stats.spearmanr(mixed, heard.quality).statistic), 3)
    found["rmse"] = round(float(np.sqrt(np.mean((calibration.score(mixed) / 100 - heard.quality) ** 2))), 3)
    return found
