"""Losses: how wrong a prediction is about a batch of groups. All are means over what they concern.

Ordinal cross entropy + 10 x ranked probability score; fidelity ranking within one content (Tsai et al., SIGIR 2007;
UNIQUE, Zhang et al., 2021); Huber for attributes and slices; agreement of a picture with itself in another guise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from qagate.score.network import BINS, Prediction, Tokens

CLEAN = 0.90
"""Score, 0..1, of an untouched picture: sources are not flawless, so it is never 1."""
CLEAN_SD, LEVEL_SD = 0.07, 0.035


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts. `ranking` 0 is the ablation without ranking."""

    ordinal: float = 1.0
    rps: float = 10.0
    ranking: float = 1.0
    attributes: float = 4.0
    presence: float = 1.0
    slices: float = 2.0
    consistency: float = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What a batch should be told. score: (n,) 0..1; spread: (n,); slices: (n, s); the rest as in data.Batch."""

    score: Tensor
    spread: Tensor
    slices: Tensor
    attributes: Tensor
    known: Tensor
    group: Tensor
    twin: Tensor


def total(prediction: Prediction, tokens: Tokens, target: Target, weights: Weights) -> tuple[Tensor, dict[str, float]]:
    """Return the loss and its parts by name."""
    logits = prediction.logits.float()
    wanted = soft_bins(target.score, target.spread)
    parts = {
        "ordinal": -(wanted * logits.log_softmax(-1)).sum(-1).mean(),
        "rps": ranked_probability(logits, wanted),
        "ranking": fidelity(prediction.score, target.score, target.group),
        "attributes": _attributes(prediction.attributes.float(), target),
        "presence": _presence(prediction.attributes.float(), target),
        "slices": F.huber_loss(prediction.slices.float(), target.slices, delta=0.2)
        + F.huber_loss(_mapped(tokens), target.slices, delta=0.2),
        "consistency": (prediction.score[target.twin[:, 0]] - prediction.score[target.twin[:, 1]]).square().mean(),
    }
    loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return loss, {name: float(value.detach()) for name, value in parts.items()}


def soft_bins(score: Tensor, spread: Tensor) -> Tensor:
    """Return a normal distribution cut to the bins: (n,), (n,) → (n, 21)."""
    bins = torch.linspace(0.0, 1.0, BINS, device=score.device)
    weight = torch.exp(-0.5 * ((bins - score[:, None]) / spread[:, None]) ** 2)
    return weight / weight.sum(-1, keepdim=True)


def ranked_probability(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of the cumulative distributions. 0 is best."""
    return (logits.softmax(-1).cumsum(-1) - wanted.cumsum(-1)).square().mean()


def fidelity(score: Tensor, wanted: Tensor, group: Tensor, spread: float = 0.06) -> Tensor:
    """Return the fidelity loss over all pairs of one content: 0 when every pair is told apart as it should be."""
    same = group[:, None] == group[None, :]
    first, second = torch.nonzero(torch.triu(same, 1), as_tuple=True)
    gap = wanted[first] - wanted[second]
    telling = gap.abs() > 0.01
    if not bool(telling.any()):
        return score.sum() * 0.0
    first, second, gap = first[telling], second[telling], gap[telling]
    said = torch.special.ndtr((score[first] - score[second]) / spread).clamp(1e-4, 1 - 1e-4)
    meant = torch.special.ndtr(gap / (spread / 2)).clamp(1e-4, 1 - 1e-4)
    loss: Tensor = (1.0 - (said * meant).sqrt() - ((1 - said) * (1 - meant)).sqrt()).mean()
    return loss


def _mapped(tokens: Tokens) -> Tensor:
    """Weighted mean of the score map: (n, s, h, w) → (n, s)."""
    share = tokens.weights / tokens.weights.sum((2, 3), keepdim=True)
    return (tokens.scores.sigmoid() * share).sum((2, 3)).float()


def _attributes(logits: Tensor, target: Target) -> Tensor:
    error = F.huber_loss(logits.sigmoid(), target.attributes, delta=0.2, reduction="none")
    weight = target.known * (1.0 + 4.0 * (target.attributes > 0.05))  # most attributes of most pictures are 0
    return (error * weight).sum() / weight.sum().clamp_min(1.0)


def _presence(logits: Tensor, target: Target) -> Tensor:
    error = F.binary_cross_entropy_with_logits(logits, target.attributes, reduction="none")
    return (error * target.known).sum() / target.known.sum().clamp_min(1.0)
