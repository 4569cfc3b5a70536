"""Scorer: one volume and its prompt → one estimate. Memory stays bounded whatever the number of slices.

A volume is cut into slabs of at most four slices. Of each slab the network sees patches of 96 x 96 native pixels with
body in them, and the whole field at low resolution. Slabs are judged one by one; the volume's score is the mean of its
slabs, drawn towards the worst fifth of them.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qagate.domain.assessment import ATTRIBUTES, Estimate, ModelIdentity
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import ScoringError
from qagate.score import bundle, familiar, handcrafted
from qagate.score.calibration import OUT_OF_DOMAIN
from qagate.score.head import Head
from qagate.score.network import BINS
from qagate.score.preprocess import CELL, CT_RANGE_HU, apply_standard, body, channels, overview, standard_of
from qagate.score.vocabulary import ATTRIBUTES_OF, Prompts, encode

PATCH = 96
SLAB = 4
"""At most so many slices are judged together, as in training."""
BUDGET = 1200
"""About so many slices of patches are looked at in one volume; a larger volume is looked at less densely."""
FEWEST = 3
"""Patches of a slab that are looked at in any case."""
BATCH = 16
BODY_SHARE = 0.15

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """What was said of some slices. bins: (21,) probabilities; attributes: (18,) 0..1; slices: (s,); pooled: (c,)."""

    bins: npt.NDArray[np.float64]
    attributes: npt.NDArray[np.float64]
    slices: npt.NDArray[np.float64]
    pooled: npt.NDArray[np.float64]
    strangeness: float


class Scorer:
    """A loaded model. Not for several threads at once: torch's threads are the parallelism."""

    def __init__(self, model: bundle.Bundle, device: torch.device, head: Head | None = None) -> None:
        self.model = model
        self.head = head
        self.device = device
        self.network = model.network.to(device)
        self.batch = BATCH

    @classmethod
    def load(cls, folder: Path | None = None, device: str = "auto", threads: int = 0) -> Scorer:
        """Load a bundle; None is the shipped one. device: "auto", "cpu", "cuda", "cuda:1". threads: 0 leaves torch's.

        Raises ModelMissing, ModelCorrupt, ScoringError when the device is not there.
        """
        if threads > 0:
            torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ScoringError(f'no CUDA device was found; set the device to "auto" or "cpu", got {device}')
        model = bundle.load(folder)
        return cls(model, torch.device(device), Head.load(model.folder, model.about))

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self.model.identity

    def score(self, volume: Volume, prompt: Prompt) -> Estimate:
        """Score one volume. Raises ScoringError when its voxels are no stack of slices."""
        voxels = volume.voxels
        if voxels.ndim != 3 or 0 in voxels.shape:
            raise ScoringError(f"voxels must be (slices, rows, columns), none of them 0, got {voxels.shape}")
        modality = prompt.modality or self._guess(voxels)
        said, sizes, slice_scores, heatmap = self._judge(volume, prompt)
        if not said:
            return self._nothing(slice_scores, heatmap)
        found = self._conclude(said, sizes, modality, slice_scores, heatmap)
        if self.head is None:
            return found
        made = handcrafted.features(voxels[self._usable(volume)], prompt.modality, more=True)
        score, interval = self.head.score(np.concatenate([summary(said, sizes), made]))
        return replace(found, score=score, interval=interval)

    def _judge(
        self, volume: Volume, prompt: Prompt
    ) -> tuple[list[Slab], list[int], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return what was said of each slab, their sizes, (slices,) scores and the heatmap."""
        voxels = volume.voxels
        usable = self._usable(volume)
        modality = prompt.modality or self._guess(voxels)
        grid = (len(voxels), -(-voxels.shape[1] // CELL), -(-voxels.shape[2] // CELL))
        slice_scores = np.full(len(voxels), np.nan, np.float32)
        heatmap = np.zeros(grid, np.float32)
        if not len(usable):
            return [], [], slice_scores, heatmap
        how = standard_of(voxels[usable[:: max(1, len(usable) // 64)]], modality)  # the grey scale needs no more slices
        coded = encode(prompt, volume.geometry.spacing_mm, len(voxels), self.model.seen, volume.geometry.known)
        said: list[Slab] = []
        pieces = np.array_split(usable, math.ceil(len(usable) / SLAB))
        for number, piece in enumerate(pieces):
            slab = apply_standard(voxels[piece], how)
            found = self._slab(slab, modality, prompt.regions, coded, number, len(usable), heatmap, piece)
            slice_scores[piece] = self.model.calibration.score(found.slices)
            said.append(found)
        return said, [len(p) for p in pieces], slice_scores, heatmap

    def features(self, volume: Volume, prompt: Prompt) -> npt.NDArray[np.float64]:
        """Return what the network makes of a volume, (c + 20,), for heads that are fitted to a site's own labels."""
        said, sizes, _, _ = self._judge(volume, prompt)
        if not said:
            raise ScoringError("a volume must have at least one slice that can be used, got none")
        return summary(said, sizes)

    def _usable(self, volume: Volume) -> npt.NDArray[np.intp]:
        """Indices of slices whose pixels can be used."""
        valid = np.ones(len(volume.voxels), bool) if volume.valid is None else np.asarray(volume.valid, bool).copy()
        if volume.voxels.dtype.kind == "f":
            for index in np.flatnonzero(valid):
                valid[index] = np.isfinite(volume.voxels[index]).mean() > 0.5
        return np.flatnonzero(valid)

    @staticmethod
    def _guess(voxels: npt.NDArray[np.generic]) -> str:
        """Air at -1000 is in no MR picture."""
        sample = voxels[len(voxels) // 2].astype(np.float32)
        sample = sample[np.isfinite(sample)]
        return "CT" if sample.size and float(sample.min()) < -200 else "MR"

    def _slab(
        self,
        slab: npt.NDArray[np.float32],
        modality: str,
        regions: tuple[str, ...],
        coded: Prompts,
        number: int,
        slices: int,
        heatmap: npt.NDArray[np.float32],
        piece: npt.NDArray[np.intp],
    ) -> Slab:
        """Judge one slab, (s, rows, columns) in standard units, and write its part of the heatmap."""
        strange = familiar.strangeness(slab, modality)
        inside = body(slab, modality)
        rows, columns = slab.shape[1:]
        low = CT_RANGE_HU[0] if modality == "CT" else 0.0
        more = ((0, 0), (0, max(0, PATCH - rows)), (0, max(0, PATCH - columns)))
        padded = np.pad(slab, more, constant_values=low)
        places = spots(np.asarray(inside.any(0)), padded.shape[1:], inside.mean(0))
        most = max(FEWEST, BUDGET // slices)
        if len(places) > most:  # a regular choice that moves on from slab to slab
            places = [places[(int(i * len(places) / most) + number) % len(places)] for i in range(most)]
            places = sorted(set(places))
        field = torch.from_numpy(slab)[None]
        with torch.inference_mode():
            features, maps, broad = self._look(torch.from_numpy(padded), field, places, modality, regions, coded)
            condition = self.network.condition(coded.to(self.device)).float()
            prediction = self.network.conclude(features[None].to(self.device), broad.to(self.device), condition)
            bins = (prediction.logits.double() / self.model.calibration.temperature).softmax(-1)[0].cpu().numpy()
        height, width = heatmap.shape[1:]
        counts = np.zeros((height, width), np.float32)
        total = np.zeros((len(slab), height, width), np.float32)
        cells = PATCH // CELL
        for (row, column), map_ in zip(places, maps.numpy(), strict=True):
            top, left = row // CELL, column // CELL
            h, w = min(cells, height - top), min(cells, width - left)
            total[:, top : top + h, left : left + w] += map_[:, :h, :w]
            counts[top : top + h, left : left + w] += 1
        good = total / np.maximum(counts, 1)
        bad = 1.0 - self.model.calibration.score(good) / 100.0
        heatmap[piece] = np.where((counts > 0) & inside[:, :height, :width], bad, 0.0).clip(0.0, 1.0)
        return Slab(
            bins,
            prediction.attributes.double().sigmoid()[0].cpu().numpy(),
            prediction.slices.double()[0].cpu().numpy(),
            prediction.pooled.double()[0].cpu().numpy(),
            strange,
        )

    def _look(
        self,
        padded: Tensor,
        field: Tensor,
        places: list[tuple[int, int]],
        modality: str,
        regions: tuple[str, ...],
        coded: Prompts,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (s, c) over all patches, score maps (patches, s, 6, 6) 0..1, and the field's tokens."""
        while True:
            try:
                return self._look_once(padded, field, places, modality, regions, coded)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                if self.batch > 1:
                    self.batch //= 2
                    log.warning("the GPU is out of memory; %d patches at a time from now on", self.batch)
                else:
                    log.warning("the GPU is out of memory with one patch; on the CPU from now on")
                    self.device, self.batch = torch.device("cpu"), BATCH
                    self.network = self.network.to(self.device)

    def _look_once(
        self,
        padded: Tensor,
        field: Tensor,
        places: list[tuple[int, int]],
        modality: str,
        regions: tuple[str, ...],
        coded: Prompts,
    ) -> tuple[Tensor, Tensor, Tensor]:
        prompts = coded.to(self.device)
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            condition = self.network.condition(prompts)
            broad = self.network.survey(channels(overview(field), modality, regions).to(self.device), condition)
            summed, weighed, maps = None, None, []
            for begin in range(0, len(places), self.batch):
                now = places[begin : begin + self.batch]
                patches = torch.stack([padded[:, r : r + PATCH, c : c + PATCH] for r, c in now])  # (p, s, 96, 96)
                pictures = channels(patches.to(self.device), modality, regions)
                tokens = self.network.look(pictures, condition.expand(len(now), -1))
                weight = tokens.weights.float().sum((2, 3))[..., None]  # (p, s, 1)
                part, share = (tokens.features.float() * weight).sum(0), weight.sum(0)
                summed = part if summed is None else summed + part
                weighed = share if weighed is None else weighed + share
                maps.append(tokens.scores.float().sigmoid().cpu())
        if summed is None or weighed is None:
            raise ScoringError("a slab must have at least one patch, got none")
        return summed / weighed, torch.cat(maps), broad.float()

    def _conclude(
        self,
        said: list[Slab],
        sizes: list[int],
        modality: str,
        slice_scores: npt.NDArray[np.float32],
        heatmap: npt.NDArray[np.float32],
    ) -> Estimate:
        calibration = self.model.calibration
        bins = np.linspace(0.0, 1.0, BINS)
        values = np.array([slab.bins @ bins for slab in said])
        mean = float(np.average(values, weights=sizes))
        few = max(1, round(len(said) / 5))
        worst = float(np.sort(values)[:few].mean())
        score = float(calibration.score((1 - calibration.worst_share) * mean + calibration.worst_share * worst))
        spreads = np.array([np.sqrt(slab.bins @ (bins - value) ** 2) for slab, value in zip(said, values, strict=True)])
        spread = 100.0 * float(np.average(spreads, weights=sizes))
        grades = np.array([slab.attributes for slab in said])  # (slabs, 18)
        graded = 0.6 * np.average(grades, axis=0, weights=sizes) + 0.4 * np.sort(grades, 0)[-few:].mean(0)
        pooled = np.average([slab.pooled for slab in said], axis=0, weights=sizes)
        strange = float(np.average([slab.strangeness for slab in said], weights=sizes))
        out = max(strange if strange > OUT_OF_DOMAIN else 0.0, calibration.strangeness(pooled))
        names = ATTRIBUTES_OF.get(modality, ATTRIBUTES)
        return Estimate(
            score=score,
            interval=calibration.interval(score, spread, modality, widening=1.0 + out),
            attributes={name: float(graded[ATTRIBUTES.index(name)]) for name in names},
            slice_scores=slice_scores,
            heatmap=heatmap,
            out_of_domain=out,
            in_domain=out <= OUT_OF_DOMAIN,
            model=self.identity,
        )

    def _nothing(self, slice_scores: npt.NDArray[np.float32], heatmap: npt.NDArray[np.float32]) -> Estimate:
        """No slice could be used: out of domain by any measure."""
        return Estimate(0.0, (0.0, 100.0), {}, slice_scores, heatmap, 1.0, False, self.identity)


def summary(said: list[Slab], sizes: list[int]) -> npt.NDArray[np.float64]:
    """Return (c + 20,): mean pooled features, mean artefact grades, mean and worst score 0..1 of the slabs."""
    scores = np.array([slab.bins @ np.linspace(0.0, 1.0, BINS) for slab in said])
    pooled = np.average([slab.pooled for slab in said], axis=0, weights=sizes)
    grades = np.average([slab.attributes for slab in said], axis=0, weights=sizes)
    return np.concatenate([pooled, grades, [np.average(scores, weights=sizes), scores.min()]])


def spots(
    inside: npt.NDArray[np.bool_], shape: tuple[int, ...], share: npt.NDArray[np.floating]
) -> list[tuple[int, int]]:
    """Return (row, column) of patches that cover the body, at multiples of 16 pixels. Never empty.

    inside, share: by cell, whether and in what part of the slices there is body. shape: padded rows, columns.
    """
    if not inside.any():
        inside = np.ones_like(inside)
        share = inside.astype(np.float64)
    cells = PATCH // CELL
    lines: list[list[int]] = []
    for axis in (0, 1):
        filled = np.flatnonzero(inside.any(1 - axis))
        first, last = int(filled[0]), int(filled[-1]) + 1
        most = max(0, (shape[axis] - PATCH) // CELL)
        count = max(1, -(-(last - first) // cells))
        ends = (min(first, most), min(max(first, last - cells), most))
        lines.append(sorted({round(v) for v in np.linspace(ends[0], ends[1], count)}))
    found = []
    for row in lines[0]:
        for column in lines[1]:
            part = share[row : row + cells, column : column + cells]
            if part.size and part.sum() / (cells * cells) > BODY_SHARE:
                found.append((row * CELL, column * CELL))
    return found or [(lines[0][len(lines[0]) // 2] * CELL, lines[1][len(lines[1]) // 2] * CELL)]
