"""Perceptrons of the assessor: small networks from features made by hand to quality, its error, and artefacts.

A member is trained on two looks at each sample at once (`assess.another`), and pays for saying different things of
them: what guises change must not count.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qagate.score.assessor import OUTPUTS

HIDDEN, HALF = 160, 64
EPOCHS, BATCH, RATE, DECAY = 40, 64, 2e-3, 0.1
UNSEEN, DROPOUT, NOISE = 0.15, 0.3, 0.15
ALIKE = 12.0
"""How much two looks at one sample that are judged differently cost, beside the error of each."""

Array = npt.NDArray[np.float32]


def fit(
    pairs: npt.NDArray[np.intp], x: Array, quality: Array, attributes: Array, naming: float, seed: int
) -> list[Array]:
    """Return weights (in, out) and biases (1, out) of one member, layer by layer.

    pairs: (n, 2) rows that are two looks at one sample; x: (rows, features), standardised; quality: (rows,) 0..1;
    attributes: (rows, 18) 0..1; naming: how much naming artefacts counts.
    """
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b) for a, b in ((x.shape[1], HIDDEN), (HIDDEN, HALF), (HALF, OUTPUTS))]
    network = nn.Sequential(
        nn.Dropout(UNSEEN), layers[0], nn.GELU(), nn.Dropout(DROPOUT), layers[1], nn.GELU(), nn.Dropout(DROPOUT),
        layers[2],
    )  # fmt: skip
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    seen, aim, there = (torch.from_numpy(np.ascontiguousarray(a)) for a in (x, quality, attributes))
    both = torch.from_numpy(pairs)
    size = min(BATCH, len(pairs))
    turns = len(pairs) // size
    steps = EPOCHS * turns
    for number in range(steps):
        if number % turns == 0:
            order = torch.randperm(len(pairs))
        rows = both[order[number % turns * size :][:size]].T.reshape(-1)  # the first looks, then the second
        done = number / steps
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, 10 * done + 0.01) * 0.5 * (1 + math.cos(math.pi * done))
        said = network(seen[rows] + NOISE * torch.randn(len(rows), x.shape[1]))
        loss = _loss(said, aim[rows], there[rows], naming)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    found = []
    for layer in layers:
        found += [layer.weight.detach().T.contiguous().numpy(), layer.bias.detach()[None].numpy()]
    return found


def _loss(said: Tensor, quality: Tensor, attributes: Tensor, naming: float) -> Tensor:
    """Squared error of the quality, likelihood of its error, what artefacts there are, and looks judged alike."""
    score = said[:, 0].sigmoid()
    error = score - quality
    logarithm = said[:, 1].clamp(-3.0, 1.0) - 1.5
    likelihood = (0.5 * (error.detach() / logarithm.exp()) ** 2 + logarithm).mean()
    named = F.binary_cross_entropy_with_logits(said[:, 2:], attributes)
    first, second = score.chunk(2)
    apart = (first - second).square().mean()
    return 10.0 * error.square().mean() + ALIKE * apart + 0.1 * likelihood + naming * named
