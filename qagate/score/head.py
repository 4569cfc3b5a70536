"""Head: a fine-tuned regression on top of the frozen network, as plain arrays.

It turns what is known of one volume (`Described`: the network's pooled features, hand-made ones, the assessor's opinion
and what it looked at, what the eye noticed) into a score on the scale of the labels it was fitted on, and that into
0-100. It is a weighted sum of Gaussian processes and trees, all evaluated here in numpy, their weights within `dual`
and `tree_value`; `train.finetune` fits them.
Nothing in it is executable: the arrays lie in `head.safetensors`, the rest in the table [head] of `bundle.toml`.

Sources: Rasmussen & Williams 2006, chapter 2 (Gaussian process); Geurts et al., Machine Learning 2006 (extra-trees).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from qagate.errors import ModelCorrupt
from qagate.score.digest import sha256, verify

Array = npt.NDArray[np.float32]

FILE = "head.safetensors"
ARRAYS = (
    "centre", "scale", "kernel_weights", "kernel_lengths", "support", "dual",
    "tree_feature", "tree_threshold", "tree_left", "tree_value", "tree_root",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """One volume as numbers. network: (c + 20,); handmade: (112,); assessor, eye: (k,), nothing where there is none.

    score: what the bundle says by itself, 0..1, 1 best.
    """

    network: npt.NDArray[Any]
    handmade: npt.NDArray[Any]
    assessor: npt.NDArray[Any]
    eye: npt.NDArray[Any]
    score: float

    @property
    def parts(self) -> tuple[npt.NDArray[Any], ...]:
        """What heads are fitted to, in their order."""
        return self.network, self.handmade, self.assessor, self.eye


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """The plain part of a head: what bundle.toml says about it.

    network_features, handcrafted_features, assessor_features, eye_features: lengths of the parts of the feature vector,
    in this order. Heads that were fitted before there was an assessor's part or an eye's say nothing of it: 0.
    mean, spread: of the labels, the latter shrunk where little could be learned. worst, best: labels that become 0 and
    100. half_width: half of the 90 % interval, in label units.
    """

    network_features: int
    handcrafted_features: int
    mean: float
    spread: float
    worst: float
    best: float
    half_width: float
    labels: int
    assessor_features: int = 0
    eye_features: int = 0

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """Lengths of the parts of the feature vector."""
        return self.network_features, self.handcrafted_features, self.assessor_features, self.eye_features


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A fitted head. `arrays` are those of ARRAYS; see `gaussian` and `forest` for their shapes.

    kernel_weights, kernel_lengths and dual have one more axis in front: one entry for each process. The kernels of
    heads from before there was an assessor's part know two parts, those from before there was an eye's three.
    """

    recipe: HeadRecipe
    arrays: Mapping[str, npt.NDArray[Any]]

    def __post_init__(self) -> None:
        missing = [name for name in ARRAYS if name not in self.arrays]
        length = sum(self.recipe.parts)
        if missing or self.arrays["centre"].shape != (length,):
            raise ModelCorrupt(f"a head needs {ARRAYS} for {length} features, got none of {missing or 'that length'}")
        if self.recipe.worst == self.recipe.best:
            raise ModelCorrupt(f"the labels that become 0 and 100 must differ, got {self.recipe.best:g} for both")

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any]) -> Head | None:
        """Return the head of a bundle, None when its sheet has no table [head]. Raises ModelCorrupt."""
        table = about.get("head")
        if table is None:
            return None
        path = folder / FILE
        try:
            verify(path, table["sha256"])
            table = {"assessor_features": 0, "eye_features": 0, **table}
            recipe = HeadRecipe(**{f.name: type_of(table[f.name]) for f, type_of in _typed()})
            return cls(recipe, safetensors.numpy.load_file(path))
        except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
            raise ModelCorrupt(f"{path} must be a whole head as its sheet says, got {error!r}") from error

    def save(self, folder: Path, sheet: str, figures: Mapping[str, float | int]) -> None:
        """Write the head beside copied weights. sheet: bundle.toml of the model it stands on, with or without a head.

        figures: what cross-validation said, for the sheet.
        """
        path = folder / FILE
        safetensors.numpy.save_file({name: np.ascontiguousarray(self.arrays[name]) for name in ARRAYS}, path)
        digest = sha256(path)
        kept = re.split(r"(?m)^\[head(?:\.figures)?\]$", sheet)[0].rstrip()
        kept = re.sub(r'(?m)^version = "([^"+]*)[^"]*"$', rf'version = "\1+{digest[:8]}"', kept, count=1)
        lines = [kept, "", "[head]", f'sha256 = "{digest}"']
        lines += [f"{f.name} = {getattr(self.recipe, f.name)!r}" for f in fields(self.recipe)]
        lines += ["", "[head.figures]", *(f"{name} = {value!r}" for name, value in figures.items())]
        (folder / "bundle.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def predict(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return (items,) scores on the scale of the labels from (items, features)."""
        recipe, a = self.recipe, self.arrays
        x = standardised(features, a["centre"], a["scale"])
        parts = recipe.parts[: a["kernel_lengths"].shape[1]]
        processes = zip(a["kernel_weights"], a["kernel_lengths"], a["dual"], strict=True)
        smooth = sum(gaussian(x, parts, weights, lengths, a["support"], dual) for weights, lengths, dual in processes)
        blocky = forest(x, a["tree_feature"], a["tree_threshold"], a["tree_left"], a["tree_value"], a["tree_root"])
        result: npt.NDArray[np.float64] = recipe.mean + recipe.spread * (smooth + blocky)
        return result

    def percent(self, label: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return labels as 0 (worst) .. 100 (best)."""
        share = (np.asarray(label, np.float64) - self.recipe.worst) / (self.recipe.best - self.recipe.worst)
        return np.clip(100.0 * share, 0.0, 100.0)

    def score(self, described: Described) -> tuple[float, tuple[float, float]]:
        """Return (score, 90 % interval) of one volume, 0-100. Raises ModelCorrupt when fitted to other features."""
        kept = [part if length else part[:0] for part, length in zip(described.parts, self.recipe.parts, strict=True)]
        if (lengths := tuple(len(part) for part in kept)) != self.recipe.parts:
            raise ModelCorrupt(
                f"the head was fitted to {self.recipe.parts} features of network, pictures, assessor and eye; this "
                f"version finds {lengths}: fine-tune again with `qagate train finetune`"
            )
        label = self.predict(np.concatenate(kept)[None])[0]
        score, *ends = self.percent([label, label - self.recipe.half_width, label + self.recipe.half_width])
        return float(score), (float(min(ends)), float(max(ends)))


def _typed() -> Iterator[tuple[Field[Any], Callable[[Any], Any]]]:
    """Yield the fields of a recipe with what makes a plain value of a sheet fit them."""
    for field in fields(HeadRecipe):
        yield field, int if field.type in ("int", int) else float


def standardised(features: npt.NDArray[Any], centre: Array, scale: Array) -> Array:
    """Return features as robust z-scores, squeezed smoothly beyond ±3 so that one odd value cannot rule a distance."""
    z = (np.asarray(features, np.float64) - centre) / scale
    squeezed: Array = (3.0 * np.tanh(z / 3.0)).astype(np.float32)
    return squeezed


def kernel(x: Array, y: Array, parts: tuple[int, ...], weights: Array, lengths: Array) -> npt.NDArray[np.float64]:
    """Return (items x, items y): for each part of the features a linear and a squared-exponential term, summed.

    weights: (parts, 2), linear then smooth; lengths: (parts,), in units of the part's typical distance sqrt(size).
    """
    total = np.zeros((len(x), len(y)))
    start = 0
    for part, size in enumerate(parts):
        a, b = x[:, start : start + size].astype(np.float64), y[:, start : start + size].astype(np.float64)
        start += size
        if size == 0:
            continue
        inner = a @ b.T / size  # (items x, items y)
        square = (a * a).sum(1)[:, None] / size + (b * b).sum(1)[None] / size - 2 * inner
        total += weights[part, 0] * inner
        total += weights[part, 1] * np.exp(-0.5 * np.maximum(square, 0.0) / float(lengths[part]) ** 2)
    return total


def gaussian(
    x: Array, parts: tuple[int, ...], weights: Array, lengths: Array, support: Array, dual: Array
) -> npt.NDArray[np.float64]:
    """Return the posterior mean (items,) of a Gaussian process. support: (items', features); dual: (items',)."""
    mean: npt.NDArray[np.float64] = kernel(x, support, parts, weights, lengths) @ dual.astype(np.float64)
    return mean


def forest(
    x: Array,
    feature: npt.NDArray[np.int32],
    threshold: Array,
    left: npt.NDArray[np.int32],
    value: Array,
    root: npt.NDArray[np.int32],
) -> npt.NDArray[np.float64]:
    """Return the mean (items,) over trees.

    Nodes of all trees lie in one row: feature (nodes,) is -1 in a leaf; an item goes to node left when its feature is
    at most the threshold, to left + 1 otherwise; value (nodes,) counts in leaves. root: (trees,) 0-based first nodes.
    """
    total = np.zeros(len(x))
    for few in np.array_split(np.arange(len(x)), -(-len(x) * len(root) // _STEPS_AT_ONCE) or 1):
        item = np.repeat(few, len(root))  # every item goes down every tree, all a level at a time
        node = np.tile(root, len(few))
        going = np.flatnonzero(feature[node] >= 0)
        while len(going):
            at = node[going]
            node[going] = at = left[at] + (x[item[going], feature[at]] > threshold[at])
            going = going[feature[at] >= 0]
        total[few] = value[node].reshape(len(few), len(root)).sum(1, dtype=np.float64)
    return total / max(1, len(root))


_STEPS_AT_ONCE = 1 << 20
"""So many pairs of item and tree are followed together at most: some ten MB."""
