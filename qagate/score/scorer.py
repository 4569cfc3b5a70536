"""Scorer: one volume and its prompt → one estimate. Memory stays bounded whatever the number of slices.

A volume is read from its darker end, whichever way it was stored, and cut into slabs of at most four slices. Each slab
is judged by the network (`patches`) and, some of them of a large volume, by the assessor on tiles (`tiles`,
`assessor`). The volume's score is a mixture of both, each the mean of its slabs drawn towards the worst fifth of them,
on the scale that calibration fitted.

The heatmap of an estimate is the network's: 0 (good) .. 1 (bad) for cells of 16 x 16 pixels of every slice, row 0 and
column 0 at the first pixel; 0 where no patch lay. It says where, not how bad: it is not mixed with the assessor.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from qagate.domain.assessment import ATTRIBUTES, Estimate, ModelIdentity
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import ScoringError
from qagate.score import bundle, familiar, handcrafted, tiles
from qagate.score.assessor import Opinion
from qagate.score.calibration import OUT_OF_DOMAIN, Calibration
from qagate.score.head import Described, Head
from qagate.score.patches import Looker, Slab
from qagate.score.preprocess import CELL, apply_standard, beyond_window, body, filled, standard_of
from qagate.score.vocabulary import ATTRIBUTES_OF, encode

SLAB = 4
"""At most so many slices are judged together, as in training."""
BUDGET = 1200
"""About so many slices of patches are looked at in one volume; a larger volume is looked at less densely."""
FEWEST = 3
"""Patches of a slab that are looked at in any case."""
MOST_NOTICED = 8
"""Slices that the eye looks at, at most, evenly spread."""
MOST_WORKERS = 8
"""Slabs that are looked at side by side at most: each takes some hundred MB."""

Found = TypeVar("Found")
Looked = tuple[npt.NDArray[np.float32] | None, Opinion | None]
"""What the assessor looked at in a slab, (tiles, features), and what it says of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What was said of a volume, before calibration. Lists have one entry for each slab.

    sizes: slices. opinions: on the tiles of a slab, None for a slab without. described: what the assessor looked at,
    (tiles, features), likewise. strange: see `familiar`. pieces: 0-based indices of slices. goodness: (slices, cells,
    cells) 0 (bad) .. 1 (good) as the network says it.
    """

    modality: str
    slabs: list[Slab]
    pieces: list[npt.NDArray[np.intp]]
    opinions: list[Opinion | None]
    described: list[npt.NDArray[np.float32] | None]
    strange: list[float]
    goodness: npt.NDArray[np.float32]
    looked: npt.NDArray[np.bool_]

    @property
    def sizes(self) -> list[int]:
        """Slices of each slab."""
        return [len(piece) for piece in self.pieces]

    def network(self, worst_share: float) -> tuple[float, float]:
        """Return the network's score and spread, 0..1."""
        values = [slab.score for slab in self.slabs]
        return pooled(values, self.sizes, worst_share), _mean([slab.spread for slab in self.slabs], self.sizes)

    def assessor(self, worst_share: float) -> tuple[float, float] | None:
        """Return the assessor's score and spread, 0..1; None without one."""
        there = [(o, n) for o, n in zip(self.opinions, self.sizes, strict=True) if o is not None]
        if not there:
            return None
        sizes = [n for _, n in there]
        values = [float(o.score.mean()) for o, _ in there]
        return pooled(values, sizes, worst_share), _mean([float(o.spread.mean()) for o, _ in there], sizes)

    def mixed(self, calibration: Calibration) -> npt.NDArray[np.float64]:
        """Return (2,) score and spread, 0..1, that both judges say together."""
        share = calibration.worst_share
        return calibration.mixed(self.network(share), self.assessor(share), self.modality)

    def grades(self, share: float) -> npt.NDArray[np.float64]:
        """Return (18,) grades of artefacts, 0..1: the mean of the slabs drawn towards the worst. share: assessor's."""
        said = _graded([slab.attributes for slab in self.slabs], self.sizes)
        there = [(o.attributes.mean(0), n) for o, n in zip(self.opinions, self.sizes, strict=True) if o is not None]
        if not there:
            return said
        return (1.0 - share) * said + share * _graded([a for a, _ in there], [n for _, n in there])


class Scorer:
    """A loaded model, for one caller at a time: `workers` slabs of a volume are looked at side by side.

    One thread for each slab keeps cores busier than torch's own threads, which share every small step of one slab. What
    is found does not depend on how many there are, but for the last digits of a volume of one slab.
    """

    def __init__(self, model: bundle.Bundle, device: torch.device, head: Head | None = None, workers: int = 1) -> None:
        self.model = model
        self.head = head
        self.looker = Looker(model.network, device)
        self.eye = None if model.eye is None else model.eye.to(device)
        self.workers = workers

    @classmethod
    def load(cls, folder: Path | None = None, device: str = "auto", threads: int = 0) -> Scorer:
        """Load a bundle; None is the shipped one. device: "auto", "cpu", "cuda", "cuda:1". threads: 0 is all cores.

        Raises ModelMissing, ModelCorrupt, ScoringError when the device is not there.
        """
        if threads > 0:
            torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ScoringError(f'no CUDA device was found; set the device to "auto" or "cpu", got {device}')
        model = bundle.load(folder)
        workers = min(threads or len(os.sched_getaffinity(0)), MOST_WORKERS)
        return cls(model, torch.device(device), Head.load(model.folder, model.about), workers)

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self.model.identity

    @property
    def device(self) -> torch.device:
        """Where the network is now."""
        return self.looker.device

    def score(self, volume: Volume, prompt: Prompt) -> Estimate:
        """Score one volume. Raises ScoringError when its voxels are no stack of slices."""
        heard = self.hear(volume, prompt)
        if not heard.slabs:
            return self._nothing(heard)
        found = self._conclude(heard)
        if self.head is None:
            return found
        score, interval = self.head.score(self._described(heard, volume, prompt))
        return replace(found, score=score, interval=interval)

    def describe(self, volume: Volume, prompt: Prompt) -> Described:
        """Return a volume as numbers, for heads that are fitted to a site's own labels. Raises ScoringError."""
        heard = self.hear(volume, prompt)
        if not heard.slabs:
            raise ScoringError("a volume must have at least one slice that can be used, got none")
        return self._described(heard, volume, prompt)

    def _described(self, heard: Heard, volume: Volume, prompt: Prompt) -> Described:
        usable = volume.voxels[_usable(volume)]
        return Described(
            summary(heard.slabs, heard.sizes),
            handcrafted.features(usable, prompt.modality, more=True),
            opinion_summary(heard),
            self._noticed(usable, heard.modality),
            float(heard.mixed(self.model.calibration)[0]),
        )

    def _noticed(self, voxels: npt.NDArray[Any], modality: str) -> npt.NDArray[np.float32]:
        """Return what the eye notices, nothing without one."""
        if self.eye is None:
            return np.zeros(0, np.float32)
        some = voxels[np.unique(np.linspace(0, len(voxels) - 1, MOST_NOTICED).round().astype(int))]
        return self.eye.look(apply_standard(some, standard_of(some, modality)), modality)

    def hear(self, volume: Volume, prompt: Prompt, *, with_tiles: bool = True) -> Heard:
        """Return what network and assessor say of every slab. Raises ScoringError as `score`."""
        voxels = volume.voxels
        if voxels.ndim != 3 or 0 in voxels.shape:
            raise ScoringError(f"voxels must be (slices, rows, columns), none of them 0, got {voxels.shape}")
        usable = _usable(volume)
        modality = prompt.modality or _guess(voxels)
        grid = (len(voxels), -(-voxels.shape[1] // CELL), -(-voxels.shape[2] // CELL))
        heard = Heard(modality, [], [], [], [], [], np.ones(grid, np.float32), np.zeros(grid, bool))
        if not len(usable):
            return heard
        if tiles.backwards(voxels[usable[[0, -1]]]):  # so that a stack stored the other way round is the same to all
            usable = usable[::-1]
        how = standard_of(voxels[usable[:: max(1, len(usable) // 64)]], modality)  # the grey scale needs no more slices
        usable = filled(voxels, usable, how, modality)
        coded = encode(prompt, volume.geometry.spacing_mm, len(voxels), self.model.seen, volume.geometry.known)
        pieces = np.array_split(usable, math.ceil(len(usable) / SLAB))
        most, temperature = max(FEWEST, BUDGET // len(usable)), self.model.calibration.temperature

        def hear(number: int) -> tuple[Slab, npt.NDArray[np.bool_], float, Looked]:
            slab = apply_standard(voxels[pieces[number]], how)
            strange = familiar.strangeness(slab, modality)  # of what is there, not of what is guessed
            whole = beyond_window(slab) if how.windowed else slab
            inside = body(whole, modality)
            # the network judges better what is there; the assessor would take the plateaus of a window for a fault
            said = self.looker.look(slab, inside, modality, prompt.regions, coded, most, number, temperature)
            count = tiles.share(number, len(pieces)) if with_tiles and self.model.assessor else 0
            looked = self._tiles(whole, inside, modality, count, number)
            return said, inside, strange, looked

        for piece, (said, inside, strange, looked) in zip(pieces, self._side_by_side(hear, len(pieces)), strict=True):
            heard.slabs.append(said)
            heard.pieces.append(piece)
            heard.strange.append(strange)
            heard.goodness[piece], heard.looked[piece] = said.map_, said.looked & inside
            heard.described.append(looked[0])
            heard.opinions.append(looked[1])
        return heard

    def _side_by_side(self, work: Callable[[int], Found], count: int) -> Iterator[Found]:
        """Yield what is found for 0 .. count - 1, in order. A slab alone has torch's own threads."""
        workers = min(self.workers, count)
        if workers < 2:
            yield from map(work, range(count))
            return
        # how many threads torch uses is a property of each thread, but the last number set is also what threads that
        # begin later start with: it is put back
        before = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(workers, "slab", initializer=torch.set_num_threads, initargs=(1,)) as pool:
                yield from pool.map(work, range(count))
        finally:
            torch.set_num_threads(before)

    def _tiles(
        self, slab: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], modality: str, count: int, turn: int
    ) -> Looked:
        assessor = self.model.assessor
        if assessor is None or count == 0:
            return None, None
        cut = tiles.cut(slab, inside, modality, count, turn)
        described = np.stack([assessor.describe(tile, modality) for tile in cut])
        return described, assessor.judge(described, modality)

    def _conclude(self, heard: Heard) -> Estimate:
        calibration = self.model.calibration
        value, spread = (float(v) for v in heard.mixed(calibration))
        score = float(calibration.score(value))
        graded = heard.grades(calibration.grade_share)
        seen = np.average([slab.pooled for slab in heard.slabs], axis=0, weights=heard.sizes)
        strange = _mean(heard.strange, heard.sizes)
        out = max(strange if strange > OUT_OF_DOMAIN else 0.0, calibration.strangeness(seen))
        names = ATTRIBUTES_OF.get(heard.modality, ATTRIBUTES)
        slice_scores, heatmap = self._places(heard, value)
        return Estimate(
            score=score,
            interval=calibration.interval(score, 100.0 * spread, heard.modality, widening=1.0 + out),
            attributes={name: float(graded[ATTRIBUTES.index(name)]) for name in names},
            slice_scores=slice_scores,
            heatmap=heatmap,
            out_of_domain=out,
            in_domain=out <= OUT_OF_DOMAIN,
            model=self.identity,
        )

    def _places(self, heard: Heard, value: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return (slices,) scores, NaN where nothing was scored, and the heatmap.

        The assessor knows no slices: those of a slab move with its opinion of the slab, or with that of the volume, and
        all of them lie around the score of the volume.
        """
        calibration = self.model.calibration
        scores = np.full(len(heard.goodness), np.nan, np.float32)
        moved = value - heard.network(calibration.worst_share)[0]
        above = _mean([float(slab.slices.mean()) - slab.score for slab in heard.slabs], heard.sizes)
        for slab, piece, opinion in zip(heard.slabs, heard.pieces, heard.opinions, strict=True):
            if opinion is not None:
                moved_slab = float(calibration.mixed(slab.score, opinion.score.mean(), heard.modality)) - slab.score
            else:
                moved_slab = moved
            scores[piece] = calibration.score(np.clip(slab.slices - above + moved_slab, 0.0, 1.0))
        bad = 1.0 - calibration.score(heard.goodness) / 100.0
        return scores, np.where(heard.looked, bad, 0.0).clip(0.0, 1.0).astype(np.float32)

    def _nothing(self, heard: Heard) -> Estimate:
        """No slice could be used: out of domain by any measure."""
        scores = np.full(len(heard.goodness), np.nan, np.float32)
        nowhere = np.zeros_like(heard.goodness)
        return Estimate(0.0, (0.0, 100.0), {}, scores, nowhere, 1.0, False, self.identity)


def pooled(values: Sequence[float], sizes: Sequence[int], worst_share: float) -> float:
    """Return the mean of slabs, drawn towards the worst fifth of them."""
    few = max(1, round(len(values) / 5))
    return (1 - worst_share) * _mean(values, sizes) + worst_share * float(np.sort(values)[:few].mean())


def summary(said: list[Slab], sizes: list[int]) -> npt.NDArray[np.float64]:
    """Return (c + 20,): mean pooled features, mean artefact grades, mean and worst score 0..1 of the slabs."""
    scores = [slab.score for slab in said]
    seen = np.average([slab.pooled for slab in said], axis=0, weights=sizes)
    grades = np.average([slab.attributes for slab in said], axis=0, weights=sizes)
    return np.concatenate([seen, grades, [_mean(scores, sizes), min(scores)]])


def opinion_summary(heard: Heard) -> npt.NDArray[np.float64]:
    """Return (21 + features,): mean score, score of the worst slab's worst tile, spread and artefacts of the assessor.

    Then the mean of what it looked at. Nothing without an assessor.
    """
    there = [
        (o, d, n)
        for o, d, n in zip(heard.opinions, heard.described, heard.sizes, strict=True)
        if o is not None and d is not None
    ]
    if not there:
        return np.zeros(0)
    sizes = [n for _, _, n in there]

    def mean(values: list[Any]) -> Any:
        return np.average(np.array(values), axis=0, weights=sizes)

    return np.concatenate(
        [
            [mean([o.score.mean() for o, _, _ in there]), min(float(o.score.min()) for o, _, _ in there)],
            [mean([o.spread.mean() for o, _, _ in there])],
            mean([o.attributes.mean(0) for o, _, _ in there]),
            mean([d.mean(0) for _, d, _ in there]),
        ]
    )


def _graded(grades: list[npt.NDArray[np.float64]], sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    few = max(1, round(len(grades) / 5))
    found: npt.NDArray[np.float64] = 0.6 * np.average(grades, axis=0, weights=sizes) + 0.4 * np.sort(grades, axis=0)[
        -few:
    ].mean(0)
    return found


def _mean(values: Sequence[float], sizes: Sequence[int]) -> float:
    return float(np.average(values, weights=sizes))


def _usable(volume: Volume) -> npt.NDArray[np.intp]:
    """Indices of slices whose pixels can be used."""
    valid = np.ones(len(volume.voxels), bool) if volume.valid is None else np.asarray(volume.valid, bool).copy()
    if volume.voxels.dtype.kind == "f":
        for index in np.flatnonzero(valid):
            valid[index] = np.isfinite(volume.voxels[index]).mean() > 0.5
    return np.flatnonzero(valid)


def _guess(voxels: npt.NDArray[np.generic]) -> str:
    """Air at -1000 is in no MR picture."""
    sample = voxels[len(voxels) // 2].astype(np.float32)
    sample = sample[np.isfinite(sample)]
    return "CT" if sample.size and float(sample.min()) < -200 else "MR"
