"""Heard: what the judges said of the slabs of one volume, and what that comes to, before calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.score.assessor import Opinion
from qagate.score.calibration import Calibration, weighed
from qagate.score.patches import Slab


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What was looked at in tiles of a slab. described: (tiles, features); then who says what of the tiles."""

    described: npt.NDArray[np.float32]
    assessor: Opinion
    practised: Opinion | None


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What was said of a volume. Lists have one entry for each slab.

    sizes: slices. tiles: what is said of those of a slab, None for a slab without. strange: see `familiar`. pieces:
    0-based indices of slices. goodness: (slices, cells, cells) 0 (bad) .. 1 (good) as the network says it.
    """

    modality: str
    slabs: list[Slab]
    pieces: list[npt.NDArray[np.intp]]
    tiles: list[Looked | None]
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
        return _pooled(values, self.sizes, worst_share), mean_of([slab.spread for slab in self.slabs], self.sizes)

    def assessor(self, worst_share: float) -> tuple[float, float] | None:
        """Return the assessor's score and spread, 0..1; None without one."""
        return _judged(*self._opinions(), worst_share)

    def practised(self, worst_share: float) -> tuple[float, float] | None:
        """Return the practised eye's score and spread, 0..1; None without one."""
        return _judged(*self._opinions(practised=True), worst_share)

    def mixed(self, calibration: Calibration) -> npt.NDArray[np.float64]:
        """Return (2,) score and spread, 0..1, that all judges say together."""
        share = calibration.worst_share
        return calibration.mixed(self.network(share), self.assessor(share), self.practised(share), self.modality)

    def grades(self, share: float, practised_share: float) -> npt.NDArray[np.float64]:
        """Return (18,) grades of artefacts, 0..1: the mean of the slabs drawn towards the worst.

        share, practised_share: of assessor and practised eye; one that is not there leaves its share to the rest.
        """
        said: list[npt.NDArray[np.float64] | None] = [_graded([slab.attributes for slab in self.slabs], self.sizes)]
        for practised in (False, True):
            opinions, sizes = self._opinions(practised)
            said.append(_graded([one.attributes.mean(0) for one in opinions], sizes) if opinions else None)
        return weighed((1.0 - share - practised_share, share, practised_share), said)

    def _opinions(self, practised: bool = False) -> tuple[list[Opinion], list[int]]:
        """Return what the assessor, or the practised eye, says of each slab that it saw, and the slices of those."""
        said = [None if t is None else t.practised if practised else t.assessor for t in self.tiles]
        there = [(one, size) for one, size in zip(said, self.sizes, strict=True) if one is not None]
        return [one for one, _ in there], [size for _, size in there]

    def network_summary(self) -> npt.NDArray[np.float64]:
        """Return (c + 20,): mean pooled features, mean artefact grades, mean and worst score 0..1 of the slabs."""
        scores = [slab.score for slab in self.slabs]
        seen = np.average([slab.pooled for slab in self.slabs], axis=0, weights=self.sizes)
        grades = np.average([slab.attributes for slab in self.slabs], axis=0, weights=self.sizes)
        return np.concatenate([seen, grades, [mean_of(scores, self.sizes), min(scores)]])

    def assessor_summary(self) -> npt.NDArray[np.float64]:
        """Return (21 + features,): the assessor's mean score, score of its worst tile, spread and artefacts.

        Then the mean of what it looked at. Nothing without an assessor.
        """
        there = [(t.assessor, t.described, n) for t, n in zip(self.tiles, self.sizes, strict=True) if t is not None]
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


def _judged(opinions: list[Opinion], sizes: list[int], worst_share: float) -> tuple[float, float] | None:
    """Return score and spread of a judge from its opinions on slabs."""
    if not opinions:
        return None
    values = [float(one.score.mean()) for one in opinions]
    return _pooled(values, sizes, worst_share), mean_of([float(one.spread.mean()) for one in opinions], sizes)


def _pooled(values: Sequence[float], sizes: Sequence[int], worst_share: float) -> float:
    """Return the mean of slabs, drawn towards the worst fifth of them."""
    few = max(1, round(len(values) / 5))
    return (1 - worst_share) * mean_of(values, sizes) + worst_share * float(np.sort(values)[:few].mean())


def _graded(grades: list[npt.NDArray[np.float64]], sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    few = max(1, round(len(grades) / 5))
    found: npt.NDArray[np.float64] = 0.6 * np.average(grades, axis=0, weights=sizes) + 0.4 * np.sort(grades, axis=0)[
        -few:
    ].mean(0)
    return found


def mean_of(values: Sequence[float], sizes: Sequence[int]) -> float:
    """Return the mean over slices of values of slabs. sizes: slices of each slab."""
    return float(np.average(values, weights=sizes))
