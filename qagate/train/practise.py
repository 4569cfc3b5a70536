"""Practise: train the eye further on samples of the fit part of a pack, until it judges their quality itself.

    python -m qagate.train practise PACK OUT_DIR [--bundle BUNDLE] [--steps 2000] [--seed 900000] [--workers 1]
    python -m qagate.train practise PACK OUT_DIR --steps 0 --mean FOLDER

Begins with the practised eye in OUT_DIR, else with the eye of the bundle. Samples are those of `assess`: the simulator
of training on varied volumes, never the independent one, half of them shown as they might also look without being
better or worse. To draw a sample takes as long as to look at it: workers draw, and each sample is shown several times,
in other slices, mirrored, in other looks. What is kept is a mean of the last weights (Polyak & Juditsky, SIAM J Control
Optim 1992;30:838-855). --mean writes what lies half way to the practised eye in another folder, say that of the run
before: they err otherwise, and one that lies between them less than both (Wortsman et al., ICML 2022). `export` puts it
into a bundle.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from qagate.domain.assessment import ATTRIBUTES
from qagate.errors import InputError
from qagate.score import bundle
from qagate.score.assessor import MODALITIES, log_error
from qagate.score.eye import Eye
from qagate.score.practised import Practised, picture
from qagate.train import sampling
from qagate.train.degrade import REGISTRY
from qagate.train.looks import another, side_by_side, standard
from qagate.train.pack import Packed, volumes
from qagate.train.sampling import Sample
from qagate.train.variety import enlarged, varied

BLOCK, AHEAD = 64, 3
"""Samples that are drawn with one seed, and how many such blocks each worker is ahead."""
SHOWN, WAITING = 3, 768
"""How often a sample is shown, and from how many at least the next ones are chosen, so that it is not at once."""
ALIKE, TURNS = 4, 4
"""Looks of one modality and size, seen at once, and how many such lots of each modality a step has."""
SIDES = (32, 64, 96, 128, 176, 224)
"""Sides of what is looked at, in pixels: squares out of a slab. A library that compiles for each size wants few."""
RATE, HEAD_RATE, DECAY, LEAST_RATE, WARM = 4e-4, 2e-3, 0.01, 0.02, 60
"""Rates of the eye and of what follows it; part of them that is left at the end; steps until all of it is reached."""
LASTING = 0.998
"""Part of the mean of weights that stays at each step."""
OTHERWISE, TURNED = 0.5, 0.25
"""How often another look is shown, and how often MR is turned on its side."""
RANKED, NAMED, UNSURE = 0.3, 0.5, 0.01
"""What ranks, artefacts and the error's size count beside the squared error of the quality."""
APART, EXPECTED = 0.05, 0.5
"""Least difference of two samples that must be ranked, and the part of it that is asked for."""
SAVED_EVERY, TOLD_EVERY = 200, 20


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A sample to look at. slab: (slices, rows, columns) in standard units; truth: (19,) quality and artefacts 0..1."""

    slab: npt.NDArray[np.float16]
    modality: str
    truth: npt.NDArray[np.float32]

    @property
    def side(self) -> int:
        """Side of the squares that are looked at, the largest of SIDES that there is room for."""
        return max(side for side in SIDES if side <= min(self.slab.shape[1:]))


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One look at a sample. pixels: (COLOURS, side, side); truth: (19,)."""

    pixels: Tensor
    modality: str
    truth: Tensor


def main(arguments: list[str]) -> int:
    """Train and write practised.safetensors."""
    parser = argparse.ArgumentParser(prog="qagate train practise", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path, help="folder of fit, beside its checkpoints")
    parser.add_argument("--bundle", type=Path, default=None, help="whose eye it begins with; the shipped one")
    parser.add_argument("--steps", type=int, default=2000, help=f"of {2 * TURNS * ALIKE} looks each")
    parser.add_argument("--seed", type=int, default=900_000)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples")
    parser.add_argument(
        "--mean", type=Path, default=None, help="folder with another practised eye, to go half way to it"
    )
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    network = Practised.load_from(options.out) or begun(bundle.load(options.bundle).eye)
    looks = shown(lessons(options.pack, options.seed, options.workers), options.seed)
    mean = fit(network.to(options.device), looks, options.steps, options.out)
    if options.mean is not None:
        mean = between(mean, options.mean)
    print(f"{options.out}: practised eye after {options.steps} steps, SHA-256 {mean.save(options.out)}")
    return 0


def begun(eye: Eye | None) -> Practised:
    """Return an eye that begins to practise: it sees the colours that the given one sees, of the others nothing yet.

    Raises InputError.
    """
    if eye is None:
        raise InputError("practice begins with the eye of a bundle; name a bundle with one by --bundle, got none")
    found = Practised()
    weights = dict(eye.state_dict())
    stem = torch.zeros_like(found.eye.stem.weight)
    stem[:, : weights["stem.weight"].shape[1]] = weights["stem.weight"]
    found.eye.load_state_dict({**weights, "stem.weight": stem})
    return found


def between(one: Practised, folder: Path) -> Practised:
    """Return the practised eye half way between one and that in a folder. Raises InputError when there is none."""
    other = Practised.load_from(folder)
    if other is None:
        raise InputError(f"--mean must be a folder with a practised eye, got {folder}")
    theirs = other.to(one.norm.weight.device).state_dict()
    one.load_state_dict({name: (tensor + theirs[name]) / 2 for name, tensor in one.state_dict().items()})
    return one


def lessons(pack: Path, seed: int, workers: int) -> Iterator[Lesson]:
    """Yield samples without end, always the same ones for a seed; workers are AHEAD blocks ahead, each."""
    ahead: deque[Future[list[Lesson]]] = deque()
    with side_by_side(workers) as pool:
        try:
            while True:
                while len(ahead) < AHEAD * workers:
                    ahead.append(pool.submit(_block, pack, seed))
                    seed += 1
                yield from ahead.popleft().result()
        finally:
            for one in ahead:
                one.cancel()


def _block(pack: Path, seed: int) -> list[Lesson]:
    drawn = map(lesson, sampling.samples(_contents(pack), BLOCK, seed, vary=varied))
    return [one for one in drawn if min(one.slab.shape[1:]) >= SIDES[0]]


@lru_cache(maxsize=1)
def _contents(pack: Path) -> list[Packed]:
    return enlarged(list(volumes(pack, ("fit",))))


def lesson(sample: Sample) -> Lesson:
    """Return what is kept of a sample."""
    truth = np.zeros(1 + len(ATTRIBUTES), np.float32)
    truth[0] = sample.quality / 100.0
    for name, strength in sample.artefacts.items():
        place = 1 + ATTRIBUTES.index(REGISTRY[name].attribute)
        truth[place] = max(truth[place], strength)
    return Lesson(standard(sample).astype(np.float16), sample.modality, truth)


def shown(drawn: Iterator[Lesson], seed: int) -> Iterator[list[Look]]:
    """Yield ALIKE looks of one modality and size, CT and MR by turns; each sample is shown about SHOWN times."""
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    waiting: dict[str, list[Lesson]] = {modality: [] for modality in MODALITIES}
    for modality in cycle(MODALITIES):
        pool = waiting[modality]
        while len(pool) < WAITING:
            one = next(drawn)
            waiting[one.modality] += [one] * SHOWN
        side = pool[int(random.integers(len(pool)))].side
        places = np.flatnonzero([one.side == side for one in pool])
        chosen = sorted(random.permutation(places)[:ALIKE], reverse=True)
        yield [look(pool.pop(place), random, generator) for place in chosen]


def look(one: Lesson, random: np.random.Generator, generator: torch.Generator) -> Look:
    """Return a look at a square of a slice, by chance mirrored, turned (MR) or in another look (`looks.another`)."""
    draw, slab = random.random(6), one.slab.astype(np.float32)
    if draw[0] < OTHERWISE:
        slab = another(slab, one.modality, generator, random)
    row, column = (int(share * (size - one.side + 1)) for share, size in zip(draw[4:], slab.shape[1:], strict=True))
    slab = slab[:, row : row + one.side, column : column + one.side]
    if draw[1] < 0.5:
        slab = slab[:, :, ::-1]
    if draw[2] < TURNED and one.modality == "MR":
        slab = slab.transpose(0, 2, 1)
    return Look(picture(slab, one.modality, int(draw[3] * len(slab))), one.modality, torch.from_numpy(one.truth))


def fit(network: Practised, looks: Iterable[list[Look]], steps: int, out: Path) -> Practised:
    """Return the mean of the last weights of so many steps, also kept in `out` now and then."""
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    mean = copy.deepcopy(network).eval()
    rates = ((network.eye, RATE), (network.norm, HEAD_RATE), (network.heads, HEAD_RATE))
    optimiser = torch.optim.AdamW([{"params": list(part.parameters()), "most": rate} for part, rate in rates])
    source, began, error = iter(looks), time.monotonic(), 0.0
    for step in range(steps):
        share = min(1.0, (step + 1) / WARM) * _falling(step / steps)
        for group in optimiser.param_groups:
            group.update(lr=group["most"] * share, weight_decay=DECAY)
        batch = [next(source) for _ in range(2 * TURNS)]
        value, squared = loss(network, batch)
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        stays = min(LASTING, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1.0 - stays)
        error += (squared - error) * max(0.02, 1 / (step + 1))
        if (step + 1) % TOLD_EVERY == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"step {step + 1} of {steps}, {minutes:.1f} min, error {math.sqrt(error):.3f}", flush=True)
        if (step + 1) % SAVED_EVERY == 0:
            mean.save(out)
    return mean


def _falling(done: float) -> float:
    return LEAST_RATE + (1.0 - LEAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * done))


def loss(network: Practised, batch: Sequence[list[Look]]) -> tuple[Tensor, float]:
    """Return what lots of looks cost, and the squared error of the quality alone."""
    device = network.norm.weight.device
    said = torch.cat([_said(network, alike, device) for alike in batch])
    ordered = [one for alike in batch for one in alike]
    truth = torch.stack([one.truth for one in ordered]).to(device)  # (n, 19)
    ct = torch.tensor([one.modality == "CT" for one in ordered], device=device)
    quality, score = truth[:, 0], said[:, 0].sigmoid()
    squared = (score - quality).square()
    wanted, found = quality[:, None] - quality, score[:, None] - score  # (n, n)
    ranked = (ct[:, None] == ct) & (wanted.abs() > APART)
    wrong = F.relu(EXPECTED * wanted.abs() - found * wanted.sign()) * ranked
    named = (said[:, 2:].sigmoid() - truth[:, 1:]).square().mean()
    logarithm = log_error(said[:, 1])
    unsure = (0.5 * squared.detach() / (2.0 * logarithm).exp() + logarithm).mean()
    whole = squared.mean() + RANKED * wrong.mean() + NAMED * named + UNSURE * unsure
    return whole, float(squared.mean().detach())


def _said(network: Practised, looks: Sequence[Look], device: torch.device) -> Tensor:
    pixels = torch.stack([one.pixels for one in looks]).to(device)
    said: Tensor = network(pixels.contiguous(memory_format=torch.channels_last), looks[0].modality)
    return said
