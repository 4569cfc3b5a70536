"""Checkpoint: a training run in progress, written and read. Safetensors and JSON, never pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qagate.errors import InputError
from qagate.score.bundle import load_tensors, save_tensors
from qagate.score.network import Network


@dataclass(slots=True)
class Run:
    """A training run in progress. offsets: (contents,) how much better or worse than usual an untouched source is."""

    network: Network
    ema: Network
    optimiser: torch.optim.AdamW
    offsets: Tensor
    step: int = 0
    seconds: float = 0.0
    best: float = -math.inf


def save(run: Run, folder: Path, plan: Mapping[str, Any]) -> None:
    """Write weights, moments, counters and the plan; a checkpoint is whole or not there."""
    names = {id(p): n for n, p in run.network.named_parameters()}
    tensors = {f"network.{n}": t for n, t in run.network.state_dict().items()}
    tensors |= {f"ema.{n}": t for n, t in run.ema.state_dict().items()}
    for parameter, state in run.optimiser.state.items():
        name = names[id(parameter)]
        tensors |= {f"moments.{name}.{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors["offsets"] = run.offsets
    meta = {"step": run.step, "seconds": run.seconds, "best": run.best, "plan": dict(plan)}
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(tensors, folder / "state.safetensors.part")
    (folder / "state.safetensors.part").replace(folder / "state.safetensors")
    (folder / "state.json").write_text(json.dumps(meta, indent=1))


def restore(run: Run, folder: Path) -> dict[str, Any]:
    """Read a checkpoint into a run and return its meta data. Raises InputError."""
    try:
        meta: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} must hold a checkpoint of fit, got {error}") from error
    tensors = load_tensors(folder / "state.safetensors")
    run.network.load_state_dict({n[8:]: t for n, t in tensors.items() if n.startswith("network.")})
    run.ema.load_state_dict({n[4:]: t for n, t in tensors.items() if n.startswith("ema.")})
    for name, parameter in run.network.named_parameters():
        keys = ("step", "exp_avg", "exp_avg_sq")
        if f"moments.{name}.step" in tensors:
            run.optimiser.state[parameter] = {
                key: tensors[f"moments.{name}.{key}"].to(parameter.device) for key in keys
            }
            run.optimiser.state[parameter]["step"] = tensors[f"moments.{name}.step"].cpu()
    run.offsets = tensors["offsets"].cpu()
    run.step, run.seconds, run.best = int(meta["step"]), float(meta["seconds"]), float(meta["best"])
    return meta
