"""Practised: an eye that was trained further on degraded CT and MR, and judges tiles by their pixels alone.

Features made by hand know the faults that somebody thought of; convolutions find what else goes with quality. This
one begins as the eye of natural pictures (`score.eye`), and each modality has a small head of its own. It looks at the
first and the last slice of a tile and what changes from each to its neighbour. `train.practise` makes it; it lies in
`practised.safetensors` as float16, and the table [practised] of bundle.toml holds the digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from qagate.errors import ModelCorrupt
from qagate.score.assessor import MODALITIES, OUTPUTS, Opinion, log_error
from qagate.score.digest import listed, sha256
from qagate.score.eye import LENGTH, Eye, coloured

FILE = "practised.safetensors"
COLOURS = 5
"""Those of the eye; darkness, where streaks and ghosts lie in air; the change to the neighbouring slice."""
DARK_HU, DARK_MR = (-1100.0, -600.0), (0.0, 0.25)
CHANGE_HU, CHANGE_MR = 400.0, 1.0
"""A change of half as much is black or white; none is grey, as in a tile of one slice."""
HIDDEN, UNSEEN = 128, 0.1


class Practised(nn.Module):
    """The network: pictures → logit of the quality, logarithm of its error, a logit for each artefact."""

    def __init__(self) -> None:
        super().__init__()
        self.eye = Eye(COLOURS)
        self.norm = nn.LayerNorm(LENGTH)
        self.heads = nn.ModuleDict({modality: _head() for modality in MODALITIES})

    def forward(self, pictures: Tensor, modality: str) -> Tensor:
        """Return (n, OUTPUTS) for pictures of one size, (n, COLOURS, rows, columns), see `picture`."""
        said: Tensor = self.heads["CT" if modality == "CT" else "MR"](self.norm(self.eye(pictures)))
        return said

    def judge(self, tiles: Sequence[npt.NDArray[np.floating[Any]]], modality: str) -> Opinion:
        """Return opinions on tiles (slices, rows, columns) of one size in standard units."""
        ends = [sorted({0, len(tile) - 1}) for tile in tiles]
        shown = [picture(tile, modality, index) for tile, of in zip(tiles, ends, strict=True) for index in of]
        with torch.inference_mode():
            batch = torch.stack(shown).to(self.norm.weight.device)
            said = self(batch.contiguous(memory_format=torch.channels_last), modality).cpu().double()
        looks = said.split([len(of) for of in ends])
        score = torch.stack([one[:, 0].sigmoid().mean() for one in looks]).numpy()
        error = torch.stack([log_error(one[:, 1]).exp().mean() for one in looks]).numpy()
        named = torch.stack([one[:, 2:].sigmoid().mean(0) for one in looks]).numpy()
        return Opinion(score, error, named)

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any]) -> Practised | None:
        """Return the practised eye of a bundle, None when its sheet has no table [practised]. Raises ModelCorrupt."""
        return cls.load_from(folder) if listed(folder / FILE, about, "practised") else None

    @classmethod
    def load_from(cls, folder: Path) -> Practised | None:
        """Return the practised eye that lies in a folder, None when there is none. Raises ModelCorrupt."""
        path = folder / FILE
        if not path.exists():
            return None
        found = cls()
        try:
            weights = safetensors.torch.load_file(str(path))
            found.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise ModelCorrupt(f"{path} must be a whole practised eye, got {error!r}") from error
        return found.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def save(self, folder: Path) -> str:
        """Write the weights as float16 and return their SHA-256."""
        path = folder / FILE
        weights = {name: tensor.detach().cpu().half().contiguous() for name, tensor in self.state_dict().items()}
        safetensors.torch.save_file(weights, str(path))
        return sha256(path)


def picture(tile: npt.NDArray[np.floating[Any]], modality: str, index: int) -> Tensor:
    """Return slice `index` (0-based) of a tile in standard units with what goes with it: (COLOURS, rows, columns).

    All 0..1. Its neighbour is the next slice, that of the last the one before: a stack read backwards looks the same.
    """
    other = index + 1 if index + 1 < len(tile) else max(0, index - 1)
    one, beside = (torch.from_numpy(np.ascontiguousarray(tile[place], np.float32)) for place in (index, other))
    (low, high), change = (DARK_HU, CHANGE_HU) if modality == "CT" else (DARK_MR, CHANGE_MR)
    dark, moved = (one - low) / (high - low), (beside - one) / change + 0.5
    return torch.cat([coloured(tile[index], modality), torch.stack([dark, moved]).clamp(0.0, 1.0)])


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(LENGTH, HIDDEN), nn.GELU(), nn.Dropout(UNSEEN), nn.Linear(HIDDEN, OUTPUTS))
