"""Perceptrons of the assessor: small networks from features made by hand to quality, its error, and artefacts.

A member is trained on two looks at each sample at once (`looks.another`), and pays for saying different things of
them: what guises change must not count. Samples are blended with one another, numbers and truth alike, which keeps a
member calm between them. Source: Zhang et al., mixup, ICLR 2018.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qagate.score.assessor import OUTPUTS

HIDDEN, HALF = 384, 96
EPOCHS, BATCH, RATE, DECAY = 30, 64, 2e-3, 0.1
UNSEEN, DROPOUT, NOISE = 0.1, 0.2, 0.1
BLENDED = 0.4
"""Both parameters of the Beta distribution that shares of blended samples are drawn from."""
ALIKE = 8.0
"""How much two looks at one sample that are judged differently cost, beside the error of each."""

Array = npt.NDArray[np.float32]


def fit(
    pairs: npt.NDArray[np.intp], x: Array, quality: Array, attributes: Array, naming: float, seed: int
) -> list[Array]:
    """Return weights (in, out) and biases (1, out) of one member, layer by layer.

    pairs: (n, 2) rows that are two looks at one sample; x: (rows, features), standardised; quality: (rows,) 0..1;
    attributes: (rows, 18) 0..1, NaN where nothing is to be named; naming: how much naming artefacts counts.
    """
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b) for a, b in ((x.shape[1], HIDDEN), (HIDDEN, HALF), (HALF, OUTPUTS))]
    network = nn.Sequential(
        nn.Dropout(UNSEEN), layers[0], nn.GELU(), nn.Dropout(DROPOUT), layers[1], nn.GELU(), nn.Dropout(DROPOUT),
        layers[2],
    )  # fmt: skip
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    truth = np.concatenate([quality[:, None], attributes], 1)
    seen, aim = (torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (x, truth))
    both = torch.from_numpy(pairs)
    share = torch.distributions.Beta(BLENDED, BLENDED)
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
        most = share.sample((size, 1))
        most = torch.maximum(most, 1.0 - most).repeat(2, 1)
        other = torch.randperm(size)
        others = rows[torch.cat([other, other + size])]  # both looks at one sample are blended with looks at one other
        shown, wanted = (most * a[rows] + (1.0 - most) * a[others] for a in (seen, aim))
        twice = rows[:size] != rows[size:]
        loss = _loss(network(shown + NOISE * torch.randn_like(shown)), wanted, twice, naming)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    found = []
    for layer in layers:
        found += [layer.weight.detach().T.contiguous().numpy(), layer.bias.detach()[None].numpy()]
    return found


def _loss(said: Tensor, wanted: Tensor, twice: Tensor, naming: float) -> Tensor:
    """Squared error of the quality, likelihood of its error, what artefacts there are, and looks judged alike.

    said: (2 n, 20); wanted: (2 n, 19) quality and artefacts; twice: (n,) whether rows k and n + k are two looks.
    """
    score = said[:, 0].sigmoid()
    error = score - wanted[:, 0]
    logarithm = said[:, 1].clamp(-3.0, 1.0) - 1.5
    likelihood = (0.5 * (error.detach() / logarithm.exp()) ** 2 + logarithm).mean()
    taught = wanted[:, 1:].isfinite()
    named = F.binary_cross_entropy_with_logits(said[:, 2:], wanted[:, 1:].nan_to_num(), reduction="none")
    named = (named * taught).sum() / taught.sum().clamp(min=1)
    first, second = score.chunk(2)
    apart = ((first - second).square() * twice).sum() / twice.sum().clamp(min=1)
    return 10.0 * error.square().mean() + ALIKE * apart + 0.1 * likelihood + naming * named
