"""Bundle: the folder that holds one model, and the only way to load it.

models/<name>-<version>/  weights, assessor, eye, practised: .safetensors  bundle.toml  card.md  benchmark.json

Weights are never pickle. The SHA-256 of every file stands in bundle.toml and is checked at every load; that of
bundle.toml itself is the model's identity, so it covers every file and the calibration alike.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from qagate.domain.assessment import ModelIdentity
from qagate.errors import ModelCorrupt, ModelMissing
from qagate.score import assessor as assessors
from qagate.score import eye as eyes
from qagate.score import practised as practised_eyes
from qagate.score.assessor import Assessor
from qagate.score.calibration import Calibration
from qagate.score.digest import sha256, verify
from qagate.score.eye import Eye
from qagate.score.network import Architecture, Network
from qagate.score.practised import Practised
from qagate.score.vocabulary import Seen

SCHEMA = "qagate.bundle/1"
WEIGHTS, SHEET = "weights.safetensors", "bundle.toml"
FILES = (WEIGHTS, assessors.FILE, eyes.FILE, practised_eyes.FILE)
"""What a bundle may hold beside its sheet, which has the digest of each."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One model, ready for use."""

    folder: Path
    identity: ModelIdentity
    architecture: Architecture
    calibration: Calibration
    seen: Seen
    about: Mapping[str, Any]
    network: Network
    assessor: Assessor | None = None
    eye: Eye | None = None
    practised: Practised | None = None


def find() -> Path:
    """Return the newest shipped bundle. Raises ModelMissing."""
    places = (Path(__file__).resolve().parents[2] / "models", Path(sys.prefix) / "share" / "qagate" / "models")
    found = [path.parent for place in places for path in place.glob(f"*/{SHEET}")]
    if not found:
        listed = " or ".join(str(place) for place in places)
        raise ModelMissing(
            f"a model folder must lie in {listed}; install the models or name a folder in the settings, got none"
        )
    return max(found, key=lambda path: (_version(path.name), path.name))


def load(folder: Path | None = None, *, network_alone: bool = False) -> Bundle:
    """Load a bundle on the CPU, its network alone if asked so. Raises ModelMissing, ModelCorrupt."""
    folder = find() if folder is None else folder
    sheet, weights = folder / SHEET, folder / WEIGHTS
    for path in (folder, sheet, weights):
        if not path.exists():
            raise ModelMissing(
                f"a model needs {path}; name the folder that holds {SHEET} and {WEIGHTS}, got no such path"
            )
    try:
        about = tomllib.loads(sheet.read_text(encoding="utf-8"))
        wanted = str(about["sha256"])
        sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in about["architecture"].items()}
        architecture = Architecture(**sizes)
        calibration = Calibration.from_plain(about["calibration"])
        seen = Seen(frozenset(about["vocabulary"]["words"]), frozenset(about["vocabulary"]["values"]))
        identity = ModelIdentity(str(about["name"]), str(about["version"]), sha256(sheet))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ModelCorrupt(f"{sheet} must be a whole {SCHEMA} sheet, got {error!r}") from error
    if about.get("schema") != SCHEMA:
        raise ModelCorrupt(f"{sheet} must have schema {SCHEMA}, got {about.get('schema')!r}")
    verify(weights, wanted)
    try:
        network = Network(architecture)
        network.load_state_dict(load_tensors(weights))
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelCorrupt(f"{weights} must fit the architecture in {sheet}, got {error}") from error
    made = Bundle(folder, identity, architecture, calibration, seen, about, network.eval())
    if network_alone:
        return made
    return replace(
        made,
        assessor=Assessor.load(folder, about),
        eye=Eye.load(folder, about),
        practised=Practised.load(folder, about),
    )


def save(
    folder: Path,
    network: Network,
    calibration: Calibration,
    seen: Seen,
    name: str,
    version: str,
    about: Mapping[str, Mapping[str, Any]],
    assessor: Assessor | None = None,
    eye: Eye | None = None,
    practised: Practised | None = None,
) -> str:
    """Write weights and sheet, and return the SHA-256 of the sheet. `about` is more tables for it."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    save_tensors({n: t.detach().cpu().contiguous() for n, t in network.state_dict().items()}, weights)
    tables: dict[str, Mapping[str, Any]] = {
        "architecture": asdict(network.sizes),
        "vocabulary": {"words": sorted(seen.words), "values": sorted(seen.values)},
        "calibration": calibration.plain(),
        **({} if assessor is None else {"assessor": {"sha256": assessor.save(folder)}}),
        **({} if eye is None else {"eye": {"sha256": eye.save(folder)}}),
        **({} if practised is None else {"practised": {"sha256": practised.save(folder)}}),
        **about,
    }
    lines = [f'schema = "{SCHEMA}"', f'name = "{name}"', f'version = "{version}"', f'sha256 = "{sha256(weights)}"']
    for title, table in tables.items():
        lines += ["", *_table(title, table)]
    (folder / SHEET).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sha256(folder / SHEET)


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors."""
    safetensors.torch.save_file({n: t.detach().cpu().contiguous().clone() for n, t in tensors.items()}, str(path))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors onto the CPU. Raises ModelCorrupt."""
    try:
        tensors: dict[str, torch.Tensor] = safetensors.torch.load_file(str(path), device="cpu")
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelCorrupt(f"{path} must be a whole safetensors file, got {error}") from error
    return tensors


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _table(title: str, table: Mapping[str, Any]) -> list[str]:
    """Return a TOML table; nested mappings become sub-tables."""
    plain = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, Mapping)]
    lines = [f"[{title}]", *plain]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += ["", *_table(f"{title}.{key}", value)]
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'
