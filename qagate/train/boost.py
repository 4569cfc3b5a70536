"""Gradient-boosted regression trees on binned features, grown level by level in numpy.

Each tree is fitted to what is left of the error, on a part of the groups (subjects, contents) and a part of the
features. What comes out are nodes as `score.head.forest` takes them: the mean over its trees is the prediction.
Sources: Friedman, Annals of Statistics 2001 and CSDA 2002 (stochastic); binning: Ke et al., NeurIPS 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qagate.train.forest import Trees

BINS = 64


@dataclass(frozen=True, slots=True)
class Recipe:
    """How trees are grown. rate: share of each tree's answer that counts; leaf: fewest items in a leaf.

    items, features: shares that each tree sees. calm: added to the count of a leaf, so that few items say little.
    """

    trees: int = 500
    rate: float = 0.04
    deepest: int = 5
    leaf: int = 15
    items: float = 0.6
    features: float = 0.25
    calm: float = 8.0


def fit(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float64],
    groups: npt.NDArray[np.intp],
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Trees:
    """Return boosted trees. x: (items, features), finite; y: (items,); groups: (items,), drawn as a whole."""
    recipe = recipe or Recipe()
    random = np.random.default_rng(seed)
    edges = np.quantile(x[:: max(1, len(x) // 8000)], np.arange(1, BINS) / BINS, axis=0).astype(np.float32)
    binned = np.empty(x.shape, np.uint8)
    for column in range(x.shape[1]):  # a value equal to an edge lies below it, as it goes to the left
        binned[:, column] = np.searchsorted(edges[:, column], x[:, column], side="left")
    names = np.unique(groups)
    base = float(y.mean())
    said = np.full(len(y), base)
    kept = []
    for _ in range(recipe.trees):
        drawn = random.random(len(names)) < recipe.items
        rows = np.flatnonzero(drawn[np.searchsorted(names, groups)]) if drawn.any() else np.arange(len(y))
        columns = random.permutation(x.shape[1])[: max(1, round(recipe.features * x.shape[1]))]
        tree = _grow(binned, y - said, rows, np.sort(columns), recipe)
        said += _answers(binned, tree)
        kept.append(tree)
    feature, threshold, left, value, root = [], [], [], [], []
    offset = 0
    for feature_, bin_, left_, value_ in kept:
        inner = feature_ >= 0
        feature.append(feature_)
        threshold.append(np.where(inner, edges[np.minimum(bin_, BINS - 2), np.maximum(feature_, 0)], 0.0))
        left.append(np.where(inner, left_ + offset, 0))
        value.append(base + value_ * recipe.trees)  # the mean over trees is the base and the sum of their answers
        root.append(offset)
        offset += len(feature_)
    return Trees(
        np.concatenate(feature).astype(np.int32),
        np.concatenate(threshold).astype(np.float32),
        np.concatenate(left).astype(np.int32),
        np.concatenate(value).astype(np.float32),
        np.array(root, np.int32),
    )


Tree = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]


def _grow(
    binned: npt.NDArray[np.uint8],
    rest: npt.NDArray[np.float64],
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    recipe: Recipe,
) -> Tree:
    """Return (feature, bin, left, value) of one tree: bins up to `bin` go to `left`, the others to left + 1."""
    seen = binned[np.ix_(rows, columns)].astype(np.intp)  # (items, columns)
    seen += np.arange(len(columns)) * BINS
    error = rest[rows]
    width = len(columns) * BINS
    feature, cut, left = [-1], [0], [0]
    value = [recipe.rate * float(error.sum()) / (len(error) + recipe.calm)]
    node = np.zeros(len(rows), np.intp)  # place among the open nodes
    open_ = [0]
    for _ in range(recipe.deepest):
        place = (seen + (node * width)[:, None]).ravel()
        size = len(open_) * width
        count = np.bincount(place, minlength=size).reshape(len(open_), len(columns), BINS)
        total = np.bincount(place, np.repeat(error, len(columns)), minlength=size).reshape(count.shape)
        count, total = count.cumsum(2), total.cumsum(2)
        all_count, all_total = count[:, :1, -1:], total[:, :1, -1:]
        gain = total**2 / (count + recipe.calm) + (all_total - total) ** 2 / (all_count - count + recipe.calm)
        gain[(count < recipe.leaf) | (all_count - count < recipe.leaf)] = -np.inf
        flat = gain.reshape(len(open_), -1)
        best = flat.argmax(1)
        good = flat[np.arange(len(open_)), best] > (all_total**2 / (all_count + recipe.calm))[:, 0, 0] + 1e-12
        if not good.any():
            break
        next_open: list[int] = []
        moved = np.full(len(open_), -1, np.intp)
        for n in np.flatnonzero(good):
            parent, (column, bin_) = open_[n], divmod(int(best[n]), BINS)
            feature[parent], cut[parent], left[parent] = int(columns[column]), bin_, len(feature)
            moved[n] = len(next_open)
            for c, t in (
                (count[n, column, bin_], total[n, column, bin_]),
                (all_count[n, 0, 0] - count[n, column, bin_], all_total[n, 0, 0] - total[n, column, bin_]),
            ):
                next_open.append(len(feature))
                feature.append(-1)
                cut.append(0)
                left.append(0)
                value.append(recipe.rate * float(t) / (float(c) + recipe.calm))
        stays = moved[node] >= 0
        seen, error, node = seen[stays], error[stays], node[stays]
        at = best[node]
        right = seen[np.arange(len(node)), at // BINS] > at
        node = moved[node] + right
        open_ = next_open
    return np.array(feature), np.array(cut), np.array(left), np.array(value)


def _answers(binned: npt.NDArray[np.uint8], tree: Tree) -> npt.NDArray[np.float64]:
    feature, cut, left, value = tree
    node = np.zeros(len(binned), np.intp)
    items = np.arange(len(binned))
    while len(items):
        items = items[feature[node[items]] >= 0]
        at = node[items]
        node[items] = left[at] + (binned[items, feature[at]] > cut[at])
    return value[node]
