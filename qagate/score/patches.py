"""Patches: what the network says of one slab, from patches at native resolution and its field at low resolution.

A slab is at most four neighbouring slices. Patches of 96 x 96 pixels cover the body at multiples of 16 pixels; their
features are averaged with the weights that the network gives them, so that one conclusion is drawn of the whole slab.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qagate.errors import ScoringError
from qagate.score.network import BINS, Network
from qagate.score.preprocess import CELL, CT_RANGE_HU, channels, overview
from qagate.score.vocabulary import Prompts

PATCH = 96
BATCH = 16
BODY_SHARE = 0.15

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """What the network says of some slices.

    bins: (21,) probabilities; attributes: (18,) 0..1; slices: (s,) 0..1; pooled: (c,). map_: (s, cells, cells), 0 (bad)
    .. 1 (good) where a patch lay, `looked`: (cells, cells) bool.
    """

    bins: npt.NDArray[np.float64]
    attributes: npt.NDArray[np.float64]
    slices: npt.NDArray[np.float64]
    pooled: npt.NDArray[np.float64]
    map_: npt.NDArray[np.float32]
    looked: npt.NDArray[np.bool_]

    @property
    def score(self) -> float:
        """Mean of the distribution, 0..1."""
        return float(self.bins @ np.linspace(0.0, 1.0, BINS))

    @property
    def spread(self) -> float:
        """Standard deviation of the distribution, 0..1."""
        return float(np.sqrt(self.bins @ (np.linspace(0.0, 1.0, BINS) - self.score) ** 2))


class Looker:
    """The network on a device, for several threads; a GPU serves one of them at a time.

    Without enough GPU memory it takes smaller batches, at last the CPU.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self.network = network.to(device)
        self.device = device
        self.batch = BATCH
        self._turn = contextlib.nullcontext() if device.type == "cpu" else threading.Lock()

    def look(
        self,
        slab: npt.NDArray[np.float32],
        inside: npt.NDArray[np.bool_],
        modality: str,
        regions: Sequence[str],
        coded: Prompts,
        most: int,
        turn: int,
        temperature: float,
    ) -> Slab:
        """Return what is said of a slab, (s, rows, columns) in standard units.

        inside: (s, cells, cells) where the body is. most: patches at most. turn: number of the slab; with too many
        places the choice moves on from slab to slab.
        """
        rows, columns = slab.shape[1:]
        low = CT_RANGE_HU[0] if modality == "CT" else 0.0
        more = ((0, 0), (0, max(0, PATCH - rows)), (0, max(0, PATCH - columns)))
        padded = np.pad(slab, more, constant_values=low)
        places = spots(np.asarray(inside.any(0)), padded.shape[1:], inside.mean(0))
        if len(places) > most:
            places = [places[(int(i * len(places) / most) + turn) % len(places)] for i in range(most)]
            places = sorted(set(places))
        field = torch.from_numpy(slab)[None]
        with self._turn, torch.inference_mode():
            features, maps, broad = self._features(torch.from_numpy(padded), field, places, modality, regions, coded)
            condition = self.network.condition(coded.to(self.device)).float()
            prediction = self.network.conclude(features[None].to(self.device), broad.to(self.device), condition)
            bins = (prediction.logits.double() / temperature).softmax(-1)[0].cpu().numpy()
        map_, looked = _joined(places, maps.numpy(), inside.shape)
        return Slab(
            bins,
            prediction.attributes.double().sigmoid()[0].cpu().numpy(),
            prediction.slices.double()[0].cpu().numpy(),
            prediction.pooled.double()[0].cpu().numpy(),
            map_,
            looked,
        )

    def _features(
        self,
        padded: Tensor,
        field: Tensor,
        places: list[tuple[int, int]],
        modality: str,
        regions: Sequence[str],
        coded: Prompts,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (s, c) over all patches, score maps (patches, s, 6, 6) 0..1, and the field's tokens."""
        while True:
            try:
                return self._features_once(padded, field, places, modality, regions, coded)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                if self.batch > 1:
                    self.batch //= 2
                    log.warning("the GPU is out of memory; %d patches at a time from now on", self.batch)
                else:
                    log.warning("the GPU is out of memory with one patch; on the CPU from now on")
                    self.device, self.batch = torch.device("cpu"), BATCH
                    self.network = self.network.to(self.device)

    def _features_once(
        self,
        padded: Tensor,
        field: Tensor,
        places: list[tuple[int, int]],
        modality: str,
        regions: Sequence[str],
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


def _joined(
    places: list[tuple[int, int]], maps: npt.NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the mean of overlapping maps, (s, cells, cells), and where there is any."""
    height, width = shape[1:]
    counts = np.zeros((height, width), np.float32)
    total = np.zeros(shape, np.float32)
    cells = PATCH // CELL
    for (row, column), map_ in zip(places, maps, strict=True):
        top, left = row // CELL, column // CELL
        h, w = min(cells, height - top), min(cells, width - left)
        total[:, top : top + h, left : left + w] += map_[:, :h, :w]
        counts[top : top + h, left : left + w] += 1
    return (total / np.maximum(counts, 1)).astype(np.float32), counts > 0


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
