"""Small things that several tests here need: a tiny untrained bundle, and volumes that look like bodies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from qagate.domain.volume import Affine, Geometry, SliceRef, Volume
from qagate.score import bundle
from qagate.score.calibration import Calibration
from qagate.score.network import SIZES, Network
from qagate.score.vocabulary import Seen

IDENTITY: Affine = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def tiny(folder: Path, name: str = "tiny", version: str = "0.0.1") -> Path:
    """Write an untrained bundle and return its folder."""
    torch.manual_seed(0)
    made = folder / f"{name}-{version}"
    bundle.save(
        made, Network(SIZES["tiny"]), Calibration(), Seen.everything(), name, version, {"about": {"licence": "x"}}
    )
    return made


def ct(slices: int = 4, rows: int = 128, columns: int = 144, noise: float = 10.0) -> npt.NDArray[np.int16]:
    """Return a round body of soft tissue in air, HU, with ribs of a kind."""
    y, x = np.mgrid[:rows, :columns]
    radius = np.hypot((y - rows / 2) / (rows * 0.4), (x - columns / 2) / (columns * 0.4))
    picture = np.where(radius < 1, 40.0 + 60.0 * np.sin(x / 7.0) * np.cos(y / 9.0), -1000.0)
    picture = np.where((radius > 0.85) & (radius < 0.92), 600.0, picture)
    draws = np.random.default_rng(0).normal(0, noise, (slices, rows, columns))
    return (picture[None] + draws).astype(np.int16)


def volume(voxels: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_] | None = None) -> Volume:
    """Return voxels as a volume with spacing 2.5 x 0.8 x 0.8 mm."""
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2]) if voxels.ndim == 3 else (0, 0, 0)
    geometry = Geometry(shape, (2.5, 0.8, 0.8), IDENTITY)
    refs = tuple(SliceRef(f"1.2.{i}", "1.2.840.10008.5.1.4.1.1.2", None, 2.5 * i) for i in range(shape[0]))
    return Volume(voxels, geometry, refs, {}, valid=valid)
