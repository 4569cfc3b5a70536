"""Network: hybrid 2D and pseudo-3D convolutions whose mixture and gain follow the prompt.

After the idea of CMMIQA (Xun et al., Quant Imaging Med Surg 2025;15(7):6326-6339): hybrid convolution features and a
quality regression "with the help of aware prompts". Its inner parts are not published in detail; these are our own.
FiLM: Perez et al., AAAI 2018. Pseudo-3D: Qiu et al., ICCV 2017. Score map x weight map: MANIQA, CVPRW 2022.

Read from top to bottom: Prompt encoder → blocks → trunk → heads. Shapes: n = batch, s = slices, c = channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qagate.domain.assessment import ATTRIBUTES
from qagate.domain.prompt import REGIONS
from qagate.score.preprocess import CHANNELS, STATISTICS, statistics
from qagate.score.vocabulary import VALUES, WORDS, Prompts

BINS = 21
"""The overall score is a distribution over 0, 5, ... 100."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes, and what is left out for an ablation. prompt: "film", "additive" or "none"."""

    widths: tuple[int, ...] = (16, 32, 64, 96)
    depths: tuple[int, ...] = (0, 1, 2, 1)
    overview_widths: tuple[int, ...] = (12, 24, 48)
    condition: int = 64
    texture: int = 64
    prompt: str = "film"
    planar: bool = True
    pseudo_3d: bool = True


SIZES = {
    "tiny": Architecture((8, 12, 16, 24), (1, 1, 1, 1), (8, 12, 16), 16, 8),
    "small": Architecture(),
    "base": Architecture((32, 64, 128, 192), (2, 2, 4, 2), (16, 32, 64), 128, 128),
}


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the heads say. logits: (n, 21); attributes: (n, 18) logits; slices: (n, s) 0..1; pooled: (n, c)."""

    logits: Tensor
    attributes: Tensor
    slices: Tensor
    pooled: Tensor

    @property
    def score(self) -> Tensor:
        """Mean of the distribution, 0..1: (n,)."""
        bins = torch.linspace(0.0, 1.0, BINS, device=self.logits.device)
        return (self.logits.float().softmax(-1) * bins).sum(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """What was seen in the patches of a slab. features: (n, s, c); score, weight maps: (n, s, h, w)."""

    features: Tensor
    scores: Tensor
    weights: Tensor


class PromptEncoder(nn.Module):
    """Words and values → one vector. (n, words), (n, regions), (n, values) → (n, condition)."""

    def __init__(self, condition: int) -> None:
        super().__init__()
        self.words = nn.ModuleList([nn.Embedding(len(words) + 1, condition) for words in WORDS.values()])
        self.regions = nn.Linear(len(REGIONS), condition)
        self.values = nn.Linear(2 * len(VALUES), condition)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(condition, condition), nn.GELU())
        for table in self.words:
            nn.init.normal_(next(table.parameters()), std=0.3)

    def forward(self, prompts: Prompts) -> Tensor:
        said = self.regions(prompts.regions) + self.values(torch.cat([prompts.values, prompts.present], 1))
        for index, table in enumerate(self.words):
            said = said + table(prompts.words[:, index])
        mixed: Tensor = self.mix(said)
        return mixed


class HybridBlock(nn.Module):
    """One residual block: a 2D branch and a pseudo-3D branch, mixed and modulated by the prompt.

    (n * s, c, h, w) → the same. The pseudo-3D branch looks within a slice, then through three neighbouring slices.
    """

    def __init__(self, width: int, sizes: Architecture) -> None:
        super().__init__()
        half = max(4, width // 2)
        self.sizes = sizes
        self.norm = nn.GroupNorm(4, width)
        self.planar = nn.Conv2d(width, width, 3, padding=1) if sizes.planar else None
        self.within = nn.Conv2d(width, half, 3, padding=1) if sizes.pseudo_3d else None
        self.through = nn.Conv2d(3 * half, width, 1) if sizes.pseudo_3d else None
        self.gate = nn.Linear(sizes.condition, 2 * width)
        self.film = nn.Linear(sizes.condition, 2 * width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)
        self.scale = nn.Parameter(torch.full((1, width, 1, 1), 0.2))
        for layer in (self.gate, self.film):  # at the start every prompt says the same: equal parts, no change
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, condition: Tensor, slices: int) -> Tensor:
        y = self.norm(x)
        branches = []
        if self.planar is not None:
            branches.append(self.planar(y))
        if self.within is not None and self.through is not None:
            branches.append(self.through(neighbours(self.within(y), slices)))
        if len(branches) == 2 and self.sizes.prompt == "film":
            share = self.gate(condition).reshape(len(condition), 2, -1).softmax(1)  # (n, 2 c) → (n, 2, c)
            share = share.repeat_interleave(slices, 0)[..., None, None]  # (n, 2, c) → (n * s, 2, c, 1, 1)
            y = branches[0] * share[:, 0] + branches[1] * share[:, 1]
        else:
            y = branches[0] if len(branches) == 1 else (branches[0] + branches[1]) * 0.5
        if self.sizes.prompt != "none":
            film = self.film(condition).repeat_interleave(slices, 0)[..., None, None]  # (n, 2 c) → (n * s, 2 c, 1, 1)
            gain, shift = film.chunk(2, 1)
            y = y * (1.0 + gain) + shift if self.sizes.prompt == "film" else y + shift
        out: Tensor = x + self.scale * self.narrow(F.relu(self.widen(y)))
        return out


class Trunk(nn.Module):
    """Stem, then stages of hybrid blocks with a halving between. (n, s, 5, h, w) → (n * s, c, h / 2^k, w / 2^k)."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...], sizes: Architecture) -> None:
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, widths[0], 5, stride=2, padding=2)
        self.halve = nn.ModuleList([nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths)])
        self.stages = nn.ModuleList(
            [nn.ModuleList([HybridBlock(w, sizes) for _ in range(d)]) for w, d in zip(widths, depths, strict=True)]
        )

    def forward(self, pictures: Tensor, condition: Tensor) -> Tensor:
        slices = pictures.shape[1]
        x: Tensor = F.relu(self.stem(pictures.flatten(0, 1)))  # (n, s, 5, h, w) → (n * s, c, h / 2, w / 2)
        for index, stage in enumerate(self.stages):
            if index:
                x = self.halve[index - 1](x)
            for block in stage:  # type: ignore[attr-defined]
                x = block(x, condition, slices)
        return x


class Texture(nn.Module):
    """What plain statistics of a slice say. (n, s, 46) → (n, s, texture).

    The statistics are put on one scale by `centre` and `spread`, which training measures once before it begins.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(STATISTICS))
        self.register_buffer("spread", torch.ones(STATISTICS))
        self.mix = nn.Sequential(nn.Linear(STATISTICS, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.GELU())

    def forward(self, pictures: Tensor) -> Tensor:
        scaled = ((statistics(pictures.float()) - self.centre) / self.spread).clamp(-5.0, 5.0)
        mixed: Tensor = self.mix(scaled)
        return mixed


class Network(nn.Module):
    """The whole model: `look` at patches, `survey` the field, `conclude`."""

    def __init__(self, sizes: Architecture | None = None) -> None:
        super().__init__()
        sizes = sizes or Architecture()
        if not (sizes.planar or sizes.pseudo_3d):
            raise ValueError("a network needs the 2D or the pseudo-3D branch, got neither")
        self.sizes = sizes
        deep, broad = sizes.widths[-1], sizes.overview_widths[-1]
        width = deep + sizes.texture
        self.prompt = PromptEncoder(sizes.condition)
        self.trunk = Trunk(sizes.widths, sizes.depths, sizes)
        self.field = Trunk(sizes.overview_widths, (1,) * len(sizes.overview_widths), sizes)
        self.texture = Texture(sizes.texture)
        self.score_map = nn.Conv2d(deep, 1, 1)
        self.weight_map = nn.Conv2d(deep, 1, 1)
        self.slice_score = nn.Linear(width + broad, 1)
        self.query = nn.Linear(sizes.condition, width)
        pooled = 2 * width + broad + sizes.condition
        self.join = nn.Sequential(nn.LayerNorm(pooled), nn.Linear(pooled, 128), nn.GELU())
        self.overall = nn.Linear(128, BINS)
        self.attributes = nn.Linear(128, len(ATTRIBUTES))
        nn.init.constant_(self.attributes.bias, -2.0)

    def condition(self, prompts: Prompts) -> Tensor:
        """Return what the prompt says: (n, condition); zeros when the prompt is left out."""
        said: Tensor = self.prompt(prompts)
        return said if self.sizes.prompt != "none" else said * 0.0

    def look(self, pictures: Tensor, condition: Tensor) -> Tokens:
        """Look at patches at native resolution. pictures: (n, s, 5, h, w)."""
        n, s = pictures.shape[:2]
        x = self.trunk(pictures, condition)  # (n * s, c, h / 16, w / 16)
        x = x.unflatten(0, (n, s))  # (n, s, c, h', w')
        flat = x.flatten(0, 1)
        scores = self.score_map(flat).squeeze(1).unflatten(0, (n, s))
        weights = (self.weight_map(flat).squeeze(1).clamp(-6.0, 6.0)).exp().unflatten(0, (n, s))
        share = weights / weights.sum((2, 3), keepdim=True)
        seen = (x * share[:, :, None]).sum((3, 4))  # (n, s, c)
        features = torch.cat([seen, self.texture(pictures).to(seen.dtype)], 2)  # (n, s, c + t)
        return Tokens(features, scores, weights)

    def survey(self, pictures: Tensor, condition: Tensor) -> Tensor:
        """Look at the whole field at low resolution. (n, s, 5, 64, 64) → (n, s, c)."""
        n, s = pictures.shape[:2]
        x: Tensor = self.field(pictures, condition)  # (n * s, c, 8, 8)
        return x.mean((2, 3)).reshape(n, s, -1)

    def conclude(self, features: Tensor, broad: Tensor, condition: Tensor) -> Prediction:
        """Make up one's mind about slabs from their slices. features: (n, s, c); broad: (n, s, b)."""
        slices = self.slice_score(torch.cat([features, broad], 2)).squeeze(2).sigmoid()  # (n, s)
        wanted = self.query(condition)[:, None]  # (n, 1, c)
        attention = ((features * wanted).sum(2) / features.shape[2] ** 0.5).softmax(1)  # (n, s)
        worst = (-8.0 * slices.detach()).softmax(1)  # a soft minimum: one bad slice must be heard
        pooled = torch.cat(
            [(features * attention[..., None]).sum(1), (features * worst[..., None]).sum(1), broad.mean(1), condition],
            1,
        )
        joined = self.join(pooled)  # (n, 128)
        return Prediction(self.overall(joined), self.attributes(joined), slices, joined)

    def forward(self, pictures: Tensor, field: Tensor, prompts: Prompts) -> tuple[Prediction, Tokens]:
        """One patch of each slab. pictures: (n, s, 5, h, w); field: (n, s, 5, 64, 64)."""
        condition = self.condition(prompts)
        tokens = self.look(pictures, condition)
        return self.conclude(tokens.features, self.survey(field, condition), condition), tokens


def neighbours(x: Tensor, slices: int) -> Tensor:
    """Put each slice beside the one below and the one above: (n * s, c, h, w) → (n * s, 3 c, h, w). Ends repeat."""
    if slices == 1:
        return torch.cat([x, x, x], 1)
    y = x.reshape(-1, slices, *x.shape[1:])
    below = torch.cat([y[:, :1], y[:, :-1]], 1)
    above = torch.cat([y[:, 1:], y[:, -1:]], 1)
    return torch.cat([below, y, above], 2).flatten(0, 1)


def size(network: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in network.parameters())
