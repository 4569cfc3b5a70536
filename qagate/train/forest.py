"""Extremely randomised regression trees, grown level by level in numpy. Source: Geurts et al., Machine Learning 2006.

Each tree sees a random part of the groups (subjects, contents), two thirds if not said otherwise, so that every item
has predictions from trees that never saw its group: an honest estimate of the error without cross-validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qagate.score.head import forest

TREES = 240
SHARE_OF_GROUPS = 0.67
DEEPEST = 24


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Nodes of all trees, as `score.head.forest` takes them."""

    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]
    root: npt.NDArray[np.int32]

    def __call__(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return (items,) predictions."""
        return forest(x, self.feature, self.threshold, self.left, self.value, self.root)


@dataclass(frozen=True, slots=True, eq=False)
class Forest(Trees):
    """Trees, and out_of_group: (items,) honest predictions."""

    out_of_group: npt.NDArray[np.float64]


def fit(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float64],
    groups: npt.NDArray[np.intp],
    *,
    trees: int | None = None,
    leaf: int = 2,
    tried: float = 0.33,
    seed: int = 0,
    columns: npt.NDArray[np.intp] | None = None,
    share: float = SHARE_OF_GROUPS,
) -> Forest:
    """Return a forest. x: (items, features); y: (items,); groups: (items,) whole numbers from 0.

    trees: 240 if not given. leaf: fewest items in a leaf. tried: share of the features tried at each node.
    columns: features that are looked at, all if not given. share: of the groups that a tree sees; with 1 there are no
    honest predictions, only the mean.
    """
    random = np.random.default_rng(seed)
    names = np.unique(groups)
    seen_columns = np.arange(x.shape[1]) if columns is None else columns
    x_seen = x if columns is None else np.ascontiguousarray(x[:, columns])
    kept: list[
        tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]]
    ] = []
    offset, roots = 0, []
    outside, times = np.zeros(len(y)), np.zeros(len(y))
    for _ in range(TREES if trees is None else trees):
        drawn = random.permutation(names)[: max(1, round(share * len(names)))]
        seen = np.isin(groups, drawn) if len(names) > 2 else random.random(len(y)) < share
        if not seen.any():
            seen[:] = True
        grown = _grow(x_seen[seen], y[seen], leaf, max(1, round(tried * len(seen_columns))), random)
        tree = (np.where(grown[0] >= 0, seen_columns[grown[0]], -1).astype(np.int32), *grown[1:])
        unseen = ~seen
        if unseen.any():
            outside[unseen] += forest(x[unseen], *tree, np.zeros(1, np.int32))
            times[unseen] += 1
        feature, threshold, left, value = tree
        kept.append((feature, threshold, np.where(feature >= 0, left + offset, 0).astype(np.int32), value))
        roots.append(offset)
        offset += len(feature)
    joined = [np.concatenate(part) for part in zip(*kept, strict=True)]
    honest = np.where(times > 0, outside / np.maximum(times, 1), y.mean())
    return Forest(joined[0], joined[1], joined[2], joined[3], np.array(roots, np.int32), honest)


def _grow(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float64], leaf: int, tried: int, random: np.random.Generator
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return one tree: every node of a level is split at once, at random thresholds of `tried` random features."""
    features, thresholds, lefts, values = [-1], [0.0], [0], [float(y.mean())]
    order = np.arange(len(y))  # items of open nodes, node by node
    bounds = np.array([0, len(y)])  # open node n holds order[bounds[n]:bounds[n + 1]]
    ids = np.array([0])
    for _ in range(DEEPEST):
        sizes = np.diff(bounds)
        open_ = sizes >= 2 * leaf
        if not open_.any():
            break
        order = np.concatenate([order[a:b] for a, b, o in zip(bounds[:-1], bounds[1:], open_, strict=True) if o])
        ids, sizes = ids[open_], sizes[open_]
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        starts = bounds[:-1]
        node = np.repeat(np.arange(len(ids)), sizes)  # (items,)
        chosen = random.integers(0, x.shape[1], (len(ids), tried))  # (nodes, tried)
        seen = x[order[:, None], chosen[node]]  # (items, tried)
        low, high = np.minimum.reduceat(seen, starts), np.maximum.reduceat(seen, starts)
        cut = (low + random.random(low.shape, dtype=np.float32) * (high - low)).astype(np.float32)  # (nodes, tried)
        goes_left = seen <= cut[node]
        target = y[order]
        count = np.add.reduceat(goes_left, starts, dtype=np.float64)
        left_sum = np.add.reduceat(goes_left * target[:, None], starts)
        total = np.add.reduceat(target, starts)[:, None]
        other = sizes[:, None] - count
        # the variance explained by a split, up to a constant of the node
        gain = left_sum**2 / np.maximum(count, 1) + (total - left_sum) ** 2 / np.maximum(other, 1)
        gain[(count < leaf) | (other < leaf) | (high <= low)] = -np.inf
        best = gain.argmax(axis=1)
        at = np.arange(len(ids))
        possible = np.isfinite(gain[at, best])
        side = goes_left[np.arange(len(node)), best[node]]
        next_order, next_sizes, next_ids = [], [], []
        for n in np.nonzero(possible)[0]:
            items = order[bounds[n] : bounds[n + 1]]
            to_left = side[bounds[n] : bounds[n + 1]]
            first = len(features)
            parent = int(ids[n])
            features[parent], thresholds[parent] = int(chosen[n, best[n]]), float(cut[n, best[n]])
            lefts[parent] = first
            for part in (items[to_left], items[~to_left]):
                features.append(-1)
                thresholds.append(0.0)
                lefts.append(0)
                values.append(float(y[part].mean()))
                next_order.append(part)
                next_sizes.append(len(part))
            next_ids += [first, first + 1]
        if not next_ids:
            break
        order, ids = np.concatenate(next_order), np.array(next_ids)
        bounds = np.concatenate([[0], np.cumsum(next_sizes)])
    return (
        np.array(features, np.int32),
        np.array(thresholds, np.float32),
        np.array(lefts, np.int32),
        np.array(values, np.float32),
    )
