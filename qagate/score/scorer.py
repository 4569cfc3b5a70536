"""Scorer: one volume and its prompt → one estimate. Memory stays bounded whatever the number of slices.

A volume is read from its darker end, whichever way it was stored, and cut into slabs of at most four slices. Each slab
is judged by the network (`patches`) and, some of them of a large volume, by the assessor and the practised eye on tiles
(`tiles`, `assessor`, `practised`). The volume's score is a mixture of all, each the mean of its slabs drawn towards the
worst fifth of them, on the scale that calibration fitted.

The heatmap of an estimate is the network's: 0 (good) .. 1 (bad) for cells of 16 x 16 pixels of every slice, row 0 and
column 0 at the first pixel; 0 where no patch lay. It says where, not how bad: it is not mixed with other judges.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from qagate.domain.assessment import ATTRIBUTES, Estimate, ModelIdentity
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import ScoringError
from qagate.score import bundle, familiar, handcrafted, tiles
from qagate.score.calibration import OUT_OF_DOMAIN
from qagate.score.eye import coloured, shown
from qagate.score.head import Described, Head
from qagate.score.heard import Heard, Looked, mean_of
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
        self.practised = None if model.practised is None else model.practised.to(device)
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
        return self.conclude(self.hear(volume, prompt), volume, prompt)

    def conclude(self, heard: Heard, volume: Volume, prompt: Prompt) -> Estimate:
        """Return the score of a volume from what all judges said of it (`hear`)."""
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
        usable = _usable(volume)
        return Described(
            heard.network_summary(),
            handcrafted.features(volume.voxels[usable], prompt.modality, more=True),
            heard.assessor_summary(),
            self._noticed(volume, usable, heard.modality),
            float(heard.mixed(self.model.calibration)[0]),
        )

    def _noticed(self, volume: Volume, usable: npt.NDArray[np.intp], modality: str) -> npt.NDArray[np.float32]:
        """Return what the eye notices, nothing without one. usable: 0-based indices of slices."""
        if self.eye is None:
            return np.zeros(0, np.float32)
        some = usable[np.unique(np.linspace(0, len(usable) - 1, MOST_NOTICED).round().astype(int))]
        if volume.colour is not None:
            return self.eye.look(shown(volume.colour[index]) for index in some)
        how = standard_of(volume.voxels[some], modality)
        return self.eye.look(coloured(apply_standard(volume.voxels[index], how), modality) for index in some)

    def hear(self, volume: Volume, prompt: Prompt, *, with_tiles: bool = True) -> Heard:
        """Return what all judges say of every slab. Raises ScoringError as `score`."""
        voxels = volume.voxels
        if voxels.ndim != 3 or 0 in voxels.shape:
            raise ScoringError(f"voxels must be (slices, rows, columns), none of them 0, got {voxels.shape}")
        usable = _usable(volume)
        modality = prompt.modality or _guess(voxels[usable[len(usable) // 2]] if len(usable) else voxels[0])
        grid = (len(voxels), -(-voxels.shape[1] // CELL), -(-voxels.shape[2] // CELL))
        heard = Heard(modality, [], [], [], [], np.ones(grid, np.float32), np.zeros(grid, bool))
        if not len(usable):
            return heard
        if tiles.backwards(voxels[usable[[0, -1]]]):  # so that a stack stored the other way round is the same to all
            usable = usable[::-1]
        how = standard_of(voxels[usable[:: max(1, len(usable) // 64)]], modality)  # the grey scale needs no more slices
        usable = filled(voxels, usable, how, modality)
        coded = encode(prompt, volume.geometry.spacing_mm, len(voxels), self.model.seen, volume.geometry.known)
        pieces = np.array_split(usable, math.ceil(len(usable) / SLAB))
        most, temperature = max(FEWEST, BUDGET // len(usable)), self.model.calibration.temperature

        def hear(number: int) -> tuple[Slab, npt.NDArray[np.bool_], float, Looked | None]:
            slab = apply_standard(voxels[pieces[number]], how)
            strange = familiar.strangeness(slab, modality)  # of what is there, not of what is guessed
            whole = beyond_window(slab) if how.windowed else slab
            inside = body(whole, modality)
            # the network judges better what is there; the others would take the plateaus of a window for a fault
            said = self.looker.look(slab, inside, modality, prompt.regions, coded, most, number, temperature)
            count = tiles.share(number, len(pieces)) if with_tiles and self.model.assessor else 0
            looked = self._tiles(whole, inside, modality, count, number)
            return said, inside, strange, looked

        for piece, (said, inside, strange, looked) in zip(pieces, self._side_by_side(hear, len(pieces)), strict=True):
            heard.slabs.append(said)
            heard.pieces.append(piece)
            heard.strange.append(strange)
            heard.goodness[piece], heard.looked[piece] = said.map_, said.looked & inside
            heard.tiles.append(looked)
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
    ) -> Looked | None:
        assessor = self.model.assessor
        if assessor is None or count == 0:
            return None
        cut = tiles.cut(slab, inside, modality, count, turn)
        described = np.stack([assessor.describe(tile, modality) for tile in cut])
        seen = None if self.practised is None else self.practised.judge(cut, modality)
        return Looked(described, assessor.judge(described, modality), seen)

    def _conclude(self, heard: Heard) -> Estimate:
        calibration = self.model.calibration
        value, spread = (float(v) for v in heard.mixed(calibration))
        score = float(calibration.score(value))
        graded = heard.grades(calibration.grade_share, calibration.practised_grade_share)
        seen = np.average([slab.pooled for slab in heard.slabs], axis=0, weights=heard.sizes)
        strange = mean_of(heard.strange, heard.sizes)
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

        Who judges tiles knows no slices: those of a slab move with the opinions on the slab, or with those on the
        volume, and all of them lie around the score of the volume.
        """
        calibration = self.model.calibration
        scores = np.full(len(heard.goodness), np.nan, np.float32)
        moved = value - heard.network(calibration.worst_share)[0]
        above = mean_of([float(slab.slices.mean()) - slab.score for slab in heard.slabs], heard.sizes)
        for slab, piece, looked in zip(heard.slabs, heard.pieces, heard.tiles, strict=True):
            moved_slab = moved
            if looked is not None:
                seen = None if looked.practised is None else looked.practised.score.mean()
                mixed = calibration.mixed(slab.score, looked.assessor.score.mean(), seen, heard.modality)
                moved_slab = float(mixed) - slab.score
            scores[piece] = calibration.score(np.clip(slab.slices - above + moved_slab, 0.0, 1.0))
        bad = 1.0 - calibration.score(heard.goodness) / 100.0
        return scores, np.where(heard.looked, bad, 0.0).clip(0.0, 1.0).astype(np.float32)

    def _nothing(self, heard: Heard) -> Estimate:
        """No slice could be used: out of domain by any measure."""
        scores = np.full(len(heard.goodness), np.nan, np.float32)
        nowhere = np.zeros_like(heard.goodness)
        return Estimate(0.0, (0.0, 100.0), {}, scores, nowhere, 1.0, False, self.identity)


def _usable(volume: Volume) -> npt.NDArray[np.intp]:
    """Indices of slices whose pixels can be used."""
    valid = np.ones(len(volume.voxels), bool) if volume.valid is None else np.asarray(volume.valid, bool).copy()
    if volume.voxels.dtype.kind == "f":
        for index in np.flatnonzero(valid):
            valid[index] = np.isfinite(volume.voxels[index]).mean() > 0.5
    return np.flatnonzero(valid)


def _guess(picture: npt.NDArray[np.generic]) -> str:
    """Air at -1000 is in no MR picture. picture: (rows, columns)."""
    sample = picture.astype(np.float32)
    sample = sample[np.isfinite(sample)]
    return "CT" if sample.size and float(sample.min()) < -200 else "MR"
