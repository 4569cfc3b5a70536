"""Glance: make the table of the second opinion on modality and region, and measure it on subjects it has not seen.

    python -m qagate.train glance PACK OUT.json

One softmax with a ridge penalty, fitted on slices of every subject of a pack in many guises. To measure it, it is
fitted again for each subject without that subject. Those answers give the thresholds: a word may be said only where at
least `PRECISION` of the held-out subjects that got it are right, and at least `FEWEST_SUBJECTS` of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

from qagate.domain.glance import NEITHER
from qagate.score.glance import ELSEWHERE, SLICES, Table, measures
from qagate.train.pack import Packed, volumes

Array = npt.NDArray[np.float64]
Picture = npt.NDArray[np.float32]
VERSION = "2026.1"
GUISES = 6
RIDGE = 3e-3
PRECISION, FEWEST_SUBJECTS = 0.95, 5
CLASSES = (
    "CT head", "CT neck", "CT chest", "CT abdomen", "CT pelvis", "MR head", f"MR {ELSEWHERE}", NEITHER,
)  # fmt: skip
NEITHER_FROM = 0.9
"""Pages and noise are made, not met: what they teach is believed from here on only."""
LEVELS = (0.6, 0.7, 0.8, 0.9, 0.95)
LEFT_OUT = ("brain_hippocampus", "breast")
"""Crops without an outline."""
REGION_OF = {"chest_shoulder": "chest", "neck_shoulder": "neck", "jaw_dental": "head", "abdomen_pelvis": "abdomen"}
PAGES = 60


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """measures: (n, m); label: (n,) index into CLASSES; subject, volume: (n,) names; weight: (n,)."""

    measures: Array
    label: npt.NDArray[np.int64]
    subject: npt.NDArray[Any]
    volume: npt.NDArray[Any]
    plain: npt.NDArray[np.bool_]
    weight: Array


def main(arguments: list[str]) -> int:
    """Fit, measure and write the table."""
    parser = argparse.ArgumentParser(prog="qagate train glance", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rows = gather(volumes(options.pack), options.seed)
    held_out = answers(rows)
    words = thresholds(held_out)
    table = fit(rows)
    document = {
        "version": VERSION,
        "classes": list(CLASSES),
        "made_by": "python -m qagate.train glance PACK OUT.json",
        "pack_sha256": hashlib.sha256(options.pack.read_bytes()).hexdigest(),
        "subjects": len(set(rows.subject[rows.label != CLASSES.index(NEITHER)])),
        "held_out": report(held_out),
        "sure_from": words,
        "mean": _short(table.mean),
        "scale": _short(table.scale),
        "weights": [_short(line) for line in table.weights],
    }
    options.out.write_text(json.dumps(document, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    print(json.dumps({name: document[name] for name in ("subjects", "held_out", "sure_from")}, indent=1))
    return 0


def _short(values: Array) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def gather(packed: Iterator[Packed], seed: int) -> Rows:
    """Return the measures of slices in several guises, the first of each being as it came."""
    rng = np.random.default_rng(seed)
    found: list[tuple[Array, int, str, str, bool, float]] = []
    for one in packed:
        if one.organ in LEFT_OUT:
            continue
        region = REGION_OF.get(one.organ, one.prompt.regions[0])
        modality, plane = str(one.prompt.modality), one.prompt.plane
        places = np.linspace(0, len(one.voxels) - 1, min(SLICES, len(one.voxels))).round().astype(int)
        for place in places:
            picture, mm = one.voxels[place], one.spacing_mm[1:]
            for guise in range(GUISES):
                kind = "MR" if modality == "CT" and guise == GUISES - 1 else modality
                label = f"{kind} {region if kind == 'CT' or region == 'head' else ELSEWHERE}"
                shown, size = (picture, mm) if guise == 0 else _disguised(picture, mm, modality, kind, rng)
                if kind == "MR":
                    shown = np.round(shown * 10 ** rng.uniform(1.5, 3.5))
                row = measures(shown, size, plane)
                found.append((row, CLASSES.index(label), one.subject, one.name, guise == 0, 1.0))
    for number in range(PAGES):
        row = measures(_page(rng), (0.7, 0.7), [None, "axial", "coronal", "sagittal"][number % 4])
        found.append((row, CLASSES.index(NEITHER), f"page {number % 10}", f"page {number}", True, 1.0))
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return _weighted(Rows(columns[0], columns[1], columns[2], columns[3], columns[4], columns[5]))


def _weighted(rows: Rows) -> Rows:
    """Each subject counts the same within its class; a class counts as the root of its subjects."""
    pairs = np.array([f"{label}|{subject}" for label, subject in zip(rows.label, rows.subject, strict=True)])
    _, at, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    subjects = np.array([len(set(rows.subject[rows.label == k])) or 1 for k in range(len(CLASSES))])
    weight = 1.0 / counts[at] / np.sqrt(subjects[rows.label])
    return Rows(rows.measures, rows.label, rows.subject, rows.volume, rows.plain, weight / weight.mean())


def _disguised(
    picture: Picture, mm: tuple[float, ...], modality: str, kind: str, rng: np.random.Generator
) -> tuple[Picture, tuple[float, float]]:
    """Change how a slice looks: flipped, cropped or with more air around it, noisier, softer, of other contrast."""
    air = -1000.0 if modality == "CT" else 0.0
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if rng.random() < 0.1:
        picture = picture[::-1]
    draw = rng.random()
    if draw < 0.35:
        sides = [int(rng.uniform(0.05, 0.4) * n) for n in (*picture.shape, *picture.shape)]
        picture = np.pad(picture, ((sides[0], sides[2]), (sides[1], sides[3])), constant_values=air)
    elif draw < 0.55:
        keep = [int(rng.uniform(0.6, 0.95) * n) for n in picture.shape]
        first = [int(rng.uniform(0, n - k)) for n, k in zip(picture.shape, keep, strict=True)]
        picture = picture[first[0] : first[0] + keep[0], first[1] : first[1] + keep[1]]
    shown: Array = picture.astype(np.float64)
    if kind != modality:
        shown = _as_mr(shown, rng)
    elif kind == "MR":
        bright = np.clip(shown, 0, None) ** rng.uniform(0.6, 1.6)
        shown = bright * (1 + _smooth(shown.shape, rng) * rng.uniform(0, 0.5))
    noise = (rng.uniform(0, 40) if kind == "CT" else rng.uniform(0, 0.04)) * rng.standard_normal(shown.shape)
    shown = shown + (noise if kind == "CT" else np.abs(noise))
    if rng.random() < 0.3:
        shown = ndimage.gaussian_filter(shown, rng.uniform(0.5, 2.0))
    size = rng.uniform(0.9, 1.1)
    return shown.astype(np.float32), (mm[0] * size, mm[1] * size * rng.uniform(0.95, 1.05))


def _as_mr(hu: Array, rng: np.random.Generator) -> Array:
    """Return a CT slice as an MR scanner might show it: air and bone dark, every tissue at a grey of its own."""
    knots = (-1000.0, -600.0, -110.0, 0.0, 40.0, 90.0, 250.0, 800.0, 2000.0)
    greys = (
        0.01,
        0.06,
        rng.uniform(0.2, 1),
        rng.uniform(0.1, 1),
        rng.uniform(0.2, 0.7),
        rng.uniform(0.2, 0.8),
        0.4,
        0.1,
        0.05,
    )
    soft = ndimage.gaussian_filter(hu, 1.0)
    found: Array = np.interp(soft, knots, greys) * (1 + 0.4 * _smooth(hu.shape, rng))
    return found


def _smooth(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    coarse = rng.uniform(-1, 1, (3, 3))
    found: Array = ndimage.zoom(coarse, [n / 3 for n in shape], order=1, grid_mode=True, mode="nearest")
    return found


def _page(rng: np.random.Generator) -> Picture:
    """Return what is neither: noise, a ramp, or a page with lines of text and boxes."""
    side = int(rng.integers(128, 512))
    kind = rng.integers(4)
    if kind == 0:
        return rng.normal(100, 30, (side, side)).astype(np.float32)
    if kind == 1:
        return np.broadcast_to(np.linspace(0, rng.uniform(100, 4000), side), (side, side)).astype(np.float32)
    page = np.full((side, side), 0.0 if kind == 2 else 255.0)
    ink = 255.0 - page[0, 0]
    for row in range(8, side - 16, int(rng.integers(10, 24))):
        end = int(rng.uniform(0.2, 0.9) * side)
        page[row : row + 7, 10:end] = np.where(rng.random((7, max(0, end - 10))) < 0.4, ink, page[0, 0])
    for _ in range(int(rng.integers(0, 4))):
        top, left = rng.integers(0, side // 2, 2)
        page[top : top + side // 6, left : left + side // 4] = rng.uniform(0, 255)
    return page.astype(np.float32)


def fit(rows: Rows, among: npt.NDArray[np.bool_] | None = None) -> Table:
    """Return the table fitted on some rows (all by default)."""
    among = np.ones(len(rows.label), bool) if among is None else among
    x, y, w = rows.measures[among], rows.label[among], rows.weight[among]
    mean = np.average(x, axis=0, weights=w)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=w)) + 1e-3
    x = np.hstack([np.clip((x - mean) / scale, -4, 4), np.ones((len(x), 1))])  # (n, m + 1)
    target = np.eye(len(CLASSES))[y]
    share = w / w.sum()

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(x.shape[1], -1)
        scores = x @ weights
        scores -= scores.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        inner = weights[:-1]
        value = -float((share[:, None] * target * (scores - log_sum)).sum()) + RIDGE * float((inner**2).sum())
        slope = x.T @ (share[:, None] * (np.exp(scores - log_sum) - target))
        slope[:-1] += 2 * RIDGE * inner
        return value, slope.ravel()

    found = optimize.minimize(
        loss, np.zeros(x.shape[1] * len(CLASSES)), jac=True, method="L-BFGS-B", options={"maxiter": 300}
    )
    return Table(VERSION, CLASSES, mean, scale, found.x.reshape(x.shape[1], -1))


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one volume by a table that had not seen its subject. shares: class → 0..1."""

    volume: str
    subject: str
    truth: str
    shares: Mapping[str, float]


def answers(rows: Rows) -> list[Answer]:
    """Return an answer for each volume, as it came, from a table fitted without its subject."""
    found = []
    for subject in sorted(set(rows.subject)):
        own = rows.subject == subject
        table = fit(rows, ~own)
        for volume in sorted(set(rows.volume[own])):
            at = (rows.volume == volume) & rows.plain
            shares = table.probabilities(rows.measures[at]).mean(axis=0)
            truth = CLASSES[int(rows.label[at][0])]
            found.append(Answer(volume, subject, truth, dict(zip(CLASSES, (float(s) for s in shares), strict=True))))
    return found


def _within(answer: Answer) -> dict[str, float]:
    """Shares among the classes of the true modality: that is known from the tags when regions are asked for."""
    kind = answer.truth.split()[0]
    own = {name: share for name, share in answer.shares.items() if name.split()[0] == kind}
    total = sum(own.values()) or 1.0
    return {name: share / total for name, share in own.items()}


def thresholds(held_out: Sequence[Answer]) -> dict[str, float]:
    """Return word ("CT chest", "MR") → share from which it may be said; words that may never be said are not in it."""
    words: dict[str, float] = {}
    images = [a for a in held_out if a.truth != NEITHER]
    for name in CLASSES:
        if name == NEITHER or name.endswith(ELSEWHERE):
            continue
        same = [a for a in images if a.truth.split()[0] == name.split()[0]]
        level = _level([(_within(a)[name], a.truth == name, a.subject) for a in same])
        if level is not None:
            words[name] = level
    for kind in ("CT", "MR", NEITHER):
        said = [
            (sum(v for k, v in a.shares.items() if k.split()[0] == kind), a.truth.split()[0] == kind, a.subject)
            for a in held_out
        ]
        if (level := _level(said)) is not None:
            words[kind] = max(level, NEITHER_FROM) if kind == NEITHER else level
    return words


def _level(said: Sequence[tuple[float, bool, str]]) -> float | None:
    """Return the lowest of a few levels from which on the answers are right often enough; None when there is none."""
    for level in LEVELS:
        right = {subject for share, true, subject in said if share >= level and true}
        wrong = {subject for share, true, subject in said if share >= level and not true}
        if len(right) >= FEWEST_SUBJECTS and len(right) >= PRECISION * (len(right) + len(wrong)):
            return level
    return None


def report(held_out: Sequence[Answer]) -> dict[str, Any]:
    """Return for each class how many volumes were rightly taken for it, which wrongly, and both from each level on."""
    found: dict[str, Any] = {}
    for name in CLASSES:
        own = [a for a in held_out if a.truth == name]
        best = {a.volume: max(_within(a).items(), key=lambda item: item[1])[0] for a in held_out}
        wrong = sorted(a.volume for a in held_out if a.truth != name and best[a.volume] == name)
        found[name] = {
            "subjects": len({a.subject for a in own}),
            "volumes": len(own),
            "right": sum(best[a.volume] == name for a in own),
            "taken_for_it": wrong,
            "sure": {str(level): _sure(name, level, held_out) for level in LEVELS},
        }
    return found


def _sure(name: str, level: float, held_out: Sequence[Answer]) -> list[int]:
    """Return how many volumes were called this rightly and wrongly, from some share on."""
    said = [a.truth == name for a in held_out if _within(a).get(name, 0.0) >= level]
    return [sum(said), len(said) - sum(said)]
