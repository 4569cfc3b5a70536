"""Networks on resized slices: a plain 2D ResNet, and one in the way of MedIQA, both trained from scratch.

Both see single slices at 224 x 224, in the wide and the task window, and know nothing of the slices beside them; a
volume gets the mean of its slices. "resnet" is ResNet-18 (He et al., CVPR 2016) of 3/8 width with group norm. "mediqa"
adds what MedIQA (arXiv 2507.19004) does on top: seven slices at fixed places, a one-hot word of 64 for modality, region
and type that is added at every stage, and a score map weighed by a weight map. Its vision transformer with ImageNet
weights is not at hand, so this says what the recipe is worth, not what that model is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qagate.domain.prompt import REGIONS, Prompt
from qagate.score.preprocess import channels, standardise
from qagate.train import guises
from qagate.train.sampling import Sample

SIDE = 224
WINDOWS = 2
"""The first two pictures of `preprocess.channels`: the wide and the task window."""
WORDS = 64
WIDTHS = (24, 48, 96, 192)
RATE = 1e-3


class Block(nn.Module):
    """Two 3 x 3 convolutions and a way past them. (n, a, h, w) → (n, b, h / stride, w / stride)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.GroupNorm(8, after), nn.GroupNorm(8, after)])
        self.past = nn.Conv2d(before, after, 1, stride, bias=False) if stride > 1 or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norms[0](self.first(x)))
        out: Tensor = F.relu(self.norms[1](self.second(y)) + self.past(x))
        return out


class Resized(nn.Module):
    """Slices (n, 2, 224, 224) and words (n, 64) → scores 0..1 (n,). mediqa: with words and a weight map."""

    def __init__(self, mediqa: bool) -> None:
        super().__init__()
        self.mediqa = mediqa
        self.stem = nn.Conv2d(WINDOWS, WIDTHS[0], 7, 2, 3)
        before = (WIDTHS[0], *WIDTHS[:-1])
        self.stages = nn.ModuleList(
            [
                nn.Sequential(Block(a, b, 1 if index == 0 else 2), Block(b, b, 1))
                for index, (a, b) in enumerate(zip(before, WIDTHS, strict=True))
            ]
        )
        self.words = nn.ModuleList([nn.Linear(WORDS, width) for width in WIDTHS])
        self.score_map = nn.Conv2d(WIDTHS[-1], 1, 1)
        self.weight_map = nn.Conv2d(WIDTHS[-1], 1, 1)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)  # (n, 2, 224, 224) → (n, 32, 56, 56)
        for stage, word in zip(self.stages, self.words, strict=True):
            x = stage(x)
            if self.mediqa:
                x = x + word(words)[:, :, None, None]
        if not self.mediqa:
            whole: Tensor = self.score_map(x.mean((2, 3), keepdim=True)).flatten().sigmoid()
            return whole
        weights = self.weight_map(x).sigmoid()  # (n, 1, 7, 7)
        weighed: Tensor = (self.score_map(x).sigmoid() * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3))
        return weighed


def word(prompt: Prompt) -> int:
    """Return the index of modality, first region and type (contrast in CT, T1 or not in MR), 0..65 folded to 0..63."""
    region = 1 + REGIONS.index(prompt.regions[0]) if prompt.regions else 0
    if prompt.modality == "CT":
        kind = {None: 0, False: 1, True: 2}[prompt.contrast]
    else:
        kind = 0 if prompt.sequence is None else 1 if prompt.sequence == "T1" else 2
    return ((prompt.modality == "CT") * 33 + region * 3 + kind) % WORDS


def places(slices: int) -> list[int]:
    """Return MedIQA's seven slices: the first, five around the middle, the last. Few slices come more than once."""
    middle, step = slices // 2, max(1, slices // 6)
    found = [0, *(middle + n * step for n in range(-2, 3)), slices - 1]
    return [min(max(place, 0), slices - 1) for place in found]


def pictures(volume: Tensor, prompt: Prompt) -> Tensor:
    """Return (slices, 2, 224, 224) of slices (slices, rows, columns) in standard units."""
    resized = F.interpolate(volume[None], (SIDE, SIDE), mode="bilinear", align_corners=False)
    return channels(resized, str(prompt.modality), prompt.regions)[0, :, :WINDOWS]


@torch.no_grad()
def predict(network: Resized, sample: Sample) -> float:
    """Return the score of a sample, 0-100."""
    voxels = torch.from_numpy(standardise(sample.volume.voxels, sample.modality)[0])
    chosen = places(len(voxels)) if network.mediqa else list(range(len(voxels)))
    some = sorted(set(chosen))
    words = F.one_hot(torch.tensor(word(sample.prompt)), WORDS).float().expand(len(some), -1)
    said = network(pictures(voxels[some], sample.prompt), words)
    return 100.0 * float(said[[some.index(place) for place in chosen]].mean())


def train(
    samples: Sequence[Sample],
    *,
    mediqa: bool,
    steps: int,
    batch: int,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> Resized:
    """Train on samples, one slice of each of a batch at a time, in the guises of `guises.disguise`.

    Loss: mean squared error against the volume's label, which each of its slices has, as in MedIQA.
    """
    torch.manual_seed(seed)
    network = Resized(mediqa)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    network.train()
    for step in range(steps):
        shown, words, wanted = [], [], []
        for index in torch.randint(len(samples), (batch,), generator=generator).tolist():
            sample = samples[index]
            voxels = torch.from_numpy(standardise(sample.volume.voxels, sample.modality)[0])
            at = int(torch.randint(len(voxels), (1,), generator=generator))
            guise, _ = guises.disguise(voxels[None, at : at + 1], voxels[None, at : at + 1], sample.modality, generator)
            shown.append(pictures(guise[0], sample.prompt))
            words.append(word(sample.prompt))
            wanted.append(sample.quality / 100.0)
        said = network(torch.cat(shown), F.one_hot(torch.tensor(words), WORDS).float())
        loss = F.mse_loss(said, torch.tensor(wanted))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 25 == 0:
            progress(f"step {step + 1}: loss {float(loss.detach()):.4f}")
    return network.eval()
