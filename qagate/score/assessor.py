"""Assessor: what the description of a tile says of its quality and artefacts, beside the network.

For each modality there are some small perceptrons of two hidden layers, a forest of extremely randomised trees and
boosted trees, and their opinions are averaged: perceptrons name artefacts and say how sure they are, trees stay calmer
on pictures unlike those of training. All see features that were made by hand (`tiles.describe`), so some thousand
examples are enough for artefacts that convolutions learn only from many more. Plain arrays, evaluated here in numpy;
`train.assess` fits them. They lie in `assessor.safetensors`, and the table [assessor] of bundle.toml holds the digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
from scipy import special

from qagate.domain.assessment import ATTRIBUTES
from qagate.errors import ModelCorrupt
from qagate.score import tiles
from qagate.score.digest import listed, sha256
from qagate.score.head import forest

FILE = "assessor.safetensors"
OUTPUTS = 2 + len(ATTRIBUTES)
"""Logit of the quality, logarithm of its error, a logit for each artefact."""
NAMING = 2
"""The last members name artefacts, those before them say the quality: each is better at what it was trained for. When
there are no more than that, all do both."""
SQUEEZE = 3.0
LAYERS = ("weight_0", "bias_0", "weight_1", "bias_1", "weight_2", "bias_2")
TREES = ("tree_feature", "tree_threshold", "tree_left", "tree_value", "tree_root")
BOOSTED = tuple(name.replace("tree", "boosted") for name in TREES)
ARRAYS = ("centre", "scale", *LAYERS, *TREES)
SHARES = (0.34, 0.33, 0.33)
"""Of perceptrons, forest and boosted trees in the quality, where none were chosen (array "shares", since 0.6.0); before
0.3.0 there were no boosted trees, and halves."""
MODALITIES = ("CT", "MR")
LENGTHS = tuple((length,) for length in (tiles.LENGTH, tiles.MEDIUM, tiles.SHORT))

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """What is said of tiles. score, spread: (tiles,) 0..1; attributes: (tiles, 18) 0..1."""

    score: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    attributes: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Assessor:
    """Fitted perceptrons, forest and boosted trees: modality → the arrays of ARRAYS.

    centre, scale: (features,); weight_k: (members, in, out); bias_k: (members, 1, out); for trees see `head.forest`.
    shares: (3,), may be missing.
    """

    arrays: Mapping[str, Arrays]

    def __post_init__(self) -> None:
        for modality in MODALITIES:
            one = self.arrays.get(modality, {})
            missing = [name for name in ARRAYS if name not in one]
            if missing or one["centre"].shape not in LENGTHS or not _whole(one):
                raise ModelCorrupt(f"an assessor needs {ARRAYS} for {tiles.LENGTH} features, got {modality} without")

    def describe(self, tile: npt.NDArray[np.floating[Any]], modality: str) -> npt.NDArray[np.float32]:
        """Return what it wants to know of a tile: `tiles.describe`, or less of it for a model of before."""
        length = len(self.arrays["CT"]["centre"])
        if length == tiles.SHORT:
            return tiles.describe_shortly(tile, modality)
        return tiles.describe(tile, modality)[:length]

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any]) -> Assessor | None:
        """Return the assessor of a bundle, None when its sheet has no table [assessor]. Raises ModelCorrupt."""
        return cls.load_from(folder) if listed(folder / FILE, about, "assessor") else None

    @classmethod
    def load_from(cls, folder: Path) -> Assessor | None:
        """Return the assessor that lies in a folder, None when there is none. Raises ModelCorrupt."""
        path = folder / FILE
        if not path.exists():
            return None
        try:
            return cls(_parted(safetensors.numpy.load_file(path)))
        except (OSError, ValueError, safetensors.SafetensorError) as error:
            raise ModelCorrupt(f"{path} must be a whole assessor, got {error!r}") from error

    def save(self, folder: Path) -> str:
        """Write the arrays, weights and the values of the forest as float16, features as int16; return the SHA-256."""
        path = folder / FILE
        flat = {
            f"{modality}.{name}": np.ascontiguousarray(_small(name, self.arrays[modality][name]))
            for modality in MODALITIES
            for name in (*ARRAYS, *BOOSTED, "shares")
            if name in self.arrays[modality]
        }
        safetensors.numpy.save_file(flat, path)
        return sha256(path)

    def shares(self, modality: str) -> npt.NDArray[np.float64]:
        """Return the shares of perceptrons, forest and, where there are any, boosted trees; sum 1."""
        one = self._of(modality)
        usual = SHARES if "boosted_root" in one else (0.5, 0.5)
        return np.asarray(one.get("shares", usual), np.float64)

    def weighed(self, shares: Mapping[str, Sequence[float]]) -> Assessor:
        """Return the same judges with other shares, by modality."""
        return Assessor({m: {**self.arrays[m], "shares": np.array(shares[m])} for m in MODALITIES})

    def _of(self, modality: str) -> Arrays:
        return self.arrays["CT" if modality == "CT" else "MR"]

    def judge(self, described: npt.NDArray[np.float32], modality: str, shares: npt.ArrayLike | None = None) -> Opinion:
        """Return opinions on tiles from their descriptions, (tiles, features). Whatever is no CT is judged as MR.

        shares: of perceptrons, forest and boosted trees, in any unit; its own if not given.
        """
        one = self._of(modality)
        known = standardised(described, one["centre"], one["scale"])
        x = np.broadcast_to(known, (len(one["weight_0"]), *known.shape))
        for layer in (0, 1):
            x = _gelu(x @ one[f"weight_{layer}"] + one[f"bias_{layer}"])
        said = (x @ one["weight_2"] + one["bias_2"]).astype(np.float64)  # (members, tiles, 20)
        several = len(said) > NAMING
        scorers, names = (said[:-NAMING], said[-NAMING:]) if several else (said, said)
        scores = special.expit(scorers[..., 0])
        kinds = (TREES, BOOSTED) if "boosted_root" in one else (TREES,)
        trees = [forest(known, *(one[name] for name in kind)) for kind in kinds]
        weights = self.shares(modality) if shares is None else np.asarray(shares, np.float64)
        mixed = np.tensordot(weights / weights.sum(), np.stack([scores.mean(0), *trees]), 1)
        variance = np.exp(2.0 * log_error(scorers[..., 1])).mean(0) + ((scores - mixed) ** 2).mean(0)
        return Opinion(mixed.clip(0.0, 1.0), np.sqrt(variance), special.expit(names[..., 2:]).mean(0))


def standardised(
    described: npt.NDArray[np.floating[Any]], centre: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return robust z-scores, squeezed smoothly beyond ±3: one odd number must not rule the rest."""
    z = (np.asarray(described, np.float64) - centre) / scale
    squeezed: npt.NDArray[np.float32] = (SQUEEZE * np.tanh(z / SQUEEZE)).astype(np.float32)
    return squeezed


def log_error(said: Any) -> Any:
    """Return the logarithm of the error 0..1 that an output stands for: about 0.01 to 0.6."""
    return said.clip(-3.0, 1.0) - 1.5


def _whole(one: Arrays) -> bool:
    members, _, outputs = one["weight_2"].shape
    return bool(members > 0 and outputs == OUTPUTS)


def _gelu(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = (x * special.ndtr(x)).astype(np.float32)
    return found


def _small(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array of `ARRAYS` as it is kept: half the size where nothing is lost that anybody could measure."""
    if name.startswith("weight") or name == "tree_value":
        return array.astype(np.float16)
    return array.astype(np.int16) if name.endswith("feature") else array


def _parted(flat: Arrays) -> dict[str, dict[str, npt.NDArray[Any]]]:
    wide = {np.dtype(np.float16): np.float32, np.dtype(np.int16): np.int32}
    found: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for name, array in flat.items():
        modality, _, rest = name.partition(".")
        found.setdefault(modality, {})[rest] = array.astype(wide.get(array.dtype, array.dtype), copy=False)
    return found
