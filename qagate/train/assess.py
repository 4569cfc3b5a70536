"""Assess: fit the assessor, perceptrons and trees on hand-made features, on samples of the fit part of a pack.

    python -m qagate.train assess PACK OUT_DIR [--samples 4500] [--seed 0]

Samples are those of `sampling` (the simulator of training, never the independent one). Every other one is put into a
guise of `guises.disguise`, so that contrast and flips do not count; each of the rest is there twice, as it is and as a
sharper kernel would show it. `export` puts what is written into a bundle.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from qagate.domain.assessment import ATTRIBUTES
from qagate.errors import InputError
from qagate.score import tiles
from qagate.score.assessor import LAYERS, MODALITIES, OUTPUTS, TREES, Assessor, standardised
from qagate.score.preprocess import apply_standard, standard_of
from qagate.train import forest, sampling
from qagate.train.degrade import REGISTRY
from qagate.train.guises import disguise
from qagate.train.pack import volumes
from qagate.train.sampling import Sample

HIDDEN, HALF = 96, 48
EPOCHS, BATCH, RATE, DECAY = 60, 64, 2e-3, 0.05
DROPOUT, NOISE = 0.25, 0.15
NAMING = (0.7, 0.7, 0.7, 4.0, 4.0)
"""How much naming artefacts counts for each member; see `assessor.SCORING`."""
GROWN, LEAF = 120, 2
BLOCK = 1500
"""Samples that are drawn with one seed; the next block has the next seed."""
SHARPER, SHARPER_PIXELS = (0.1, 0.5), (0.7, 1.3)
LEAST = 20
"""Fewest samples of a modality."""


Slices = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Samples as numbers. features: (n, 195); attributes: (n, 18) 0..1; quality: (n,) 0..1; the rest (n,) words."""

    features: npt.NDArray[np.float32]
    attributes: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    subject: npt.NDArray[np.str_]
    modality: npt.NDArray[np.str_]

    def some(self, chosen: npt.NDArray[np.bool_]) -> Table:
        """Return a part of the samples."""
        return Table(*(getattr(self, f.name)[chosen] for f in fields(Table)))


def main(arguments: list[str]) -> int:
    """Fit and write assessor.safetensors."""
    parser = argparse.ArgumentParser(prog="qagate train assess", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path, help="folder of fit, beside its checkpoints")
    parser.add_argument("--samples", type=int, default=4500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    fitted = list(volumes(options.pack, ("fit",)))
    tables = []
    for number, first in enumerate(range(0, options.samples, BLOCK)):
        seed = options.seed + number
        tables.append(tabled(sampling.samples(fitted, min(BLOCK, options.samples - first), seed), seed))
        print(f"{min(first + BLOCK, options.samples)} samples", flush=True)
    table = joined(tables)
    digest = fit(table, options.seed).save(options.out)
    print(f"{options.out}: assessor on {options.samples} samples, SHA-256 {digest}")
    return 0


def tabled(samples: Iterable[Sample], seed: int, *, guises: bool = True) -> Table:
    """Return samples as numbers; with guises half of them disguised, and each of the others a second time, sharper."""
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    features, attributes, rest = [], [], []
    for number, sample in enumerate(samples):
        slab = _standard(sample)
        looks = [disguised(slab, sample.modality, generator) if guises and number % 2 else slab]
        if guises and number % 2 == 0:
            looks.append(sharper(slab, random))
        features += [tiles.describe(look, sample.modality) for look in looks]
        row = np.zeros(len(ATTRIBUTES), np.float32)
        for name, strength in sample.artefacts.items():
            place = ATTRIBUTES.index(REGISTRY[name].attribute)
            row[place] = max(row[place], strength)
        attributes += [row] * len(looks)
        rest += [(sample.quality / 100.0, sample.subject, sample.modality)] * len(looks)
    quality, subject, modality = zip(*rest, strict=True)
    return Table(
        np.array(features), np.array(attributes), np.array(quality, np.float32), np.array(subject), np.array(modality)
    )


def joined(tables: Sequence[Table]) -> Table:
    """Return several tables as one."""
    return Table(*(np.concatenate([getattr(table, f.name) for table in tables]) for f in fields(Table)))


def disguised(slab: Slices, modality: str, generator: torch.Generator) -> Slices:
    """Return a slab in standard units in a guise of training."""
    unused = torch.zeros(1, len(slab), 8, 8)
    found: Slices = disguise(torch.from_numpy(slab)[None], unused, modality, generator)[0][0].numpy()
    return found


def sharper(slab: Slices, random: np.random.Generator) -> Slices:
    """Return a slab as a sharper kernel shows it: 10 to 50 % of an unsharp mask of about 1 pixel."""
    amount, sigma = random.uniform(*SHARPER), random.uniform(*SHARPER_PIXELS)
    return np.asarray(slab + amount * (slab - ndimage.gaussian_filter(slab, (0, sigma, sigma))), np.float32)


def _standard(sample: Sample) -> Slices:
    voxels = sample.volume.voxels
    return apply_standard(voxels, standard_of(voxels, sample.modality))


def fit(table: Table, seed: int = 0) -> Assessor:
    """Return the assessor of a table with both modalities. Raises InputError."""
    arrays = {}
    for modality in MODALITIES:
        part = table.some(table.modality == modality)
        if len(part.quality) < LEAST:
            raise InputError(f"an assessor needs {LEAST} samples of {modality}, got {len(part.quality)}")
        arrays[modality] = _fit(part, seed)
    return Assessor(arrays)


def _fit(part: Table, seed: int) -> dict[str, npt.NDArray[Any]]:
    x = part.features.astype(np.float64)
    centre = np.median(x, 0)
    low, high = np.percentile(x, (16, 84), axis=0)
    scale = np.maximum((high - low) / 2, 0.1 * x.std(0)) + 1e-5
    known = standardised(x, centre.astype(np.float32), scale.astype(np.float32))
    members = [_perceptron(known, part, naming, seed * 100 + number) for number, naming in enumerate(NAMING)]
    found: dict[str, npt.NDArray[Any]] = {"centre": centre.astype(np.float32), "scale": scale.astype(np.float32)}
    for place, name in enumerate(LAYERS):
        found[name] = np.stack([member[place] for member in members])
    groups = np.unique(part.subject, return_inverse=True)[1]
    trees = forest.fit(known, part.quality.astype(np.float64), groups, trees=GROWN, leaf=LEAF, seed=seed)
    for name in TREES:
        found[name] = getattr(trees, name.removeprefix("tree_"))
    return found


def _perceptron(known: npt.NDArray[np.float32], part: Table, naming: float, seed: int) -> list[npt.NDArray[np.float32]]:
    """Return weights (in, out) and biases (1, out) of one member, layer by layer."""
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b) for a, b in ((known.shape[1], HIDDEN), (HIDDEN, HALF), (HALF, OUTPUTS))]
    network = nn.Sequential(
        nn.Dropout(0.1), layers[0], nn.GELU(), nn.Dropout(DROPOUT), layers[1], nn.GELU(), nn.Dropout(DROPOUT), layers[2]
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    x, quality, attributes = (torch.from_numpy(a) for a in (known, part.quality, part.attributes))
    size = min(BATCH, len(x))
    steps = EPOCHS * (len(x) // size)
    for number in range(steps):
        if number % (len(x) // size) == 0:
            order = torch.randperm(len(x))
        chosen = order[number % (len(x) // size) * size :][:size]
        done = number / steps
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, 10 * done + 0.01) * 0.5 * (1 + math.cos(math.pi * done))
        said = network(x[chosen] + NOISE * torch.randn(size, x.shape[1]))
        loss = _loss(said, quality[chosen], attributes[chosen], naming)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    found = []
    for layer in layers:
        found += [layer.weight.detach().T.contiguous().numpy(), layer.bias.detach()[None].numpy()]
    return found


def _loss(said: Tensor, quality: Tensor, attributes: Tensor, naming: float) -> Tensor:
    """Squared error of the quality, likelihood of its error, and what artefacts there are."""
    error = said[:, 0].sigmoid() - quality
    logarithm = said[:, 1].clamp(-3.0, 1.0) - 1.5
    likelihood = (0.5 * (error.detach() / logarithm.exp()) ** 2 + logarithm).mean()
    named = F.binary_cross_entropy_with_logits(said[:, 2:], attributes)
    return 10.0 * error.square().mean() + 0.1 * likelihood + naming * named
