"""Gaussian process regression whose settings are chosen by leaving whole groups out, in closed form.

Besides the kernel of `score.head` there is, while fitting, a random offset for each group (content): pictures of one
content share what raters think of the content itself, and the rest of the model learns from differences inside a
content. Leaving a group out needs no refit: with K the whole covariance and Q its inverse, the error on group g is
inv(Q[g, g]) (Q y)[g]. Source: Rasmussen & Williams 2006, section 5.4.2; Sundararajan & Keerthi 2001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

STEPS = 40
MOST_FOR_SETTINGS = 600
MOST = 3000


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """A fitted process. weights: (parts, 2); lengths: (parts,); chosen: (items',) items it stands on; dual: (items',).

    out_of_group: (items,) predictions for each item from all other groups. The settings were chosen by them: with few
    groups they look better than those of groups that come later.
    """

    weights: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.float32]
    chosen: npt.NDArray[np.intp]
    dual: npt.NDArray[np.float32]
    out_of_group: npt.NDArray[np.float64]


def fit(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float64],
    groups: npt.NDArray[np.intp],
    parts: tuple[int, ...],
    *,
    seed: int = 0,
) -> Process:
    """Return a process. x: (items, features), standardised; y: (items,), mean 0 and SD 1; groups: whole numbers from 0.

    Settings are chosen on at most 600 items of whole groups; at most 3000 items support the process.
    """
    random = np.random.default_rng(seed)
    y = np.asarray(y, np.float64)
    chosen = _some(groups, MOST_FOR_SETTINGS, random)
    tables = _tables(x[chosen], parts)
    target = torch.from_numpy(y[chosen])
    members, same = _members(groups[chosen])
    start = _start(len(parts))
    settings = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([settings], max_iter=STEPS, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        covariance = _covariance(tables, settings, same)
        error, density = _left_out(covariance, target, members)
        loss = density + error.square().mean() + 0.01 * (settings - start).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    best = settings.detach()
    if not torch.isfinite(best).all():
        best = start

    support = _some(groups, MOST, random)
    members, same = _members(groups[support])
    target = torch.from_numpy(y[support])
    covariance = _covariance(_tables(x[support], parts), best, same)
    error, _ = _left_out(covariance, target, members)
    dual = torch.cholesky_solve(target[:, None], torch.linalg.cholesky(covariance))[:, 0]
    count = len(parts)
    weights, lengths = best[: 2 * count].exp().reshape(count, 2), best[2 * count : 3 * count].exp()
    out_of_group = np.zeros(len(y))
    out_of_group[support] = (target - error).numpy()
    return Process(
        weights.numpy().astype(np.float32),
        lengths.numpy().astype(np.float32),
        support,
        dual.numpy().astype(np.float32),
        out_of_group,
    )


def fit_parts(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float64],
    groups: npt.NDArray[np.intp],
    parts: tuple[int, ...],
    used: tuple[bool, ...],
    *,
    seed: int = 0,
) -> Process:
    """Return a process like `fit` that gives the parts that are not used no weight. used: (parts,)."""
    columns = columns_of(parts, used)
    found = fit(x[:, columns], y, groups, tuple(n for n, u in zip(parts, used, strict=True) if u), seed=seed)
    weights, lengths = np.zeros((len(parts), 2), np.float32), np.ones(len(parts), np.float32)
    weights[np.array(used)], lengths[np.array(used)] = found.weights, found.lengths
    return replace(found, weights=weights, lengths=lengths)


def columns_of(parts: tuple[int, ...], used: tuple[bool, ...]) -> npt.NDArray[np.intp]:
    """Return the indices of the features in the parts that are used."""
    return np.flatnonzero(np.repeat(used, parts))


def _some(groups: npt.NDArray[np.intp], most: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return indices of at most `most` items, evenly from all groups."""
    if len(groups) <= most:
        return np.arange(len(groups))
    return np.sort(random.permutation(len(groups))[:most])


def _members(groups: npt.NDArray[np.intp]) -> tuple[list[Tensor], Tensor]:
    """Return the items of each group, and (items, items) 1 where two items share a group."""
    members = [torch.from_numpy(np.nonzero(groups == name)[0]) for name in np.unique(groups)]
    return members, torch.from_numpy((groups[:, None] == groups[None]).astype(np.float64))


def _start(parts: int) -> Tensor:
    """Return first settings: logs of linear and smooth weights, lengths, noise and offset variance."""
    return torch.tensor(
        [math.log(0.2), math.log(1.0)] * parts + [0.0] * parts + [math.log(0.2), math.log(0.1)]
    ).double()


def _tables(x: npt.NDArray[np.float32], parts: tuple[int, ...]) -> list[tuple[Tensor, Tensor] | None]:
    """Return for each part the inner products and squared distances, over the part's size."""
    tables: list[tuple[Tensor, Tensor] | None] = []
    start = 0
    for size in parts:
        if size == 0:
            tables.append(None)
            continue
        a = torch.from_numpy(x[:, start : start + size].astype(np.float64))
        start += size
        inner = a @ a.T / size
        square = inner.diagonal()[:, None] + inner.diagonal()[None] - 2 * inner
        tables.append((inner, square.clamp_min(0.0)))
    return tables


def _covariance(tables: list[tuple[Tensor, Tensor] | None], settings: Tensor, same: Tensor) -> Tensor:
    count = len(tables)
    bounded = settings.clamp(-8.0, 6.0)
    noise = bounded[-2].exp() + 1e-3
    total = bounded[-1].exp() * same + noise * torch.eye(len(same), dtype=torch.float64)
    for part, table in enumerate(tables):
        if table is not None:
            inner, square = table
            length = bounded[2 * count + part].exp()
            total = total + bounded[2 * part].exp() * inner
            total = total + bounded[2 * part + 1].exp() * torch.exp(-0.5 * square / length**2)
    return total


def _left_out(covariance: Tensor, target: Tensor, members: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return (items,) errors target - prediction with each item's group left out, and the mean negative log density."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(covariance))
    pull = inverse @ target
    error = torch.zeros_like(target)
    density = torch.zeros((), dtype=torch.float64)
    for items in members:
        block = inverse[items][:, items]
        lower = torch.linalg.cholesky(block)
        wrong = torch.cholesky_solve(pull[items][:, None], lower)[:, 0]
        error = error.index_put((items,), wrong)
        variance = torch.cholesky_inverse(lower).diagonal()
        density = density + 0.5 * (variance.log() + wrong.square() / variance).sum()
    return error, density / len(target)
