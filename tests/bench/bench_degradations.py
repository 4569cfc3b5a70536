"""Print what each degradation does to quality at five severities, and what it costs.

    python -m tests.bench.bench_degradations [NIfTI files ...]

CT files begin with "ct", the others count as MR. Without files, the phantom of the unit tests is used. Columns:
processor time per volume of 3 x 128 x 128, then mean quality (lowest - highest) over the volumes at severity .1, .25,
.5, .75 and 1.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from qagate.train import labels
from qagate.train.degrade import REGISTRY, Context
from qagate.train.nifti import read as read_nifti
from tests.unit.train.degrade.test_registry import phantom

SLICES, SIZE = 3, 128


def crop(path: Path) -> tuple[Tensor, Tensor]:
    """Return the middle of the body, (3, 128, 128), and its spacing in mm; smaller volumes are returned as they are."""
    volume = read_nifti(path)
    voxels = np.asarray(volume.voxels, np.float32)
    if path.name.startswith("ct"):
        body = voxels > -500
    else:
        voxels = voxels / np.percentile(voxels[voxels > 0], 99.5)
        body = voxels > 0.1
    middle = np.argwhere(body).mean(0)
    cut = []
    for place, size, wanted in zip(middle, voxels.shape, (SLICES, SIZE, SIZE), strict=True):
        start = int(np.clip(place - wanted // 2, 0, max(size - wanted, 0)))
        cut.append(slice(start, start + wanted))
    return torch.from_numpy(voxels[tuple(cut)].copy()), torch.tensor(volume.spacing_mm)


def main(paths: list[str]) -> None:
    for modality in ("CT", "MR"):
        files = [Path(p) for p in paths if Path(p).name.startswith("ct") == (modality == "CT")]
        crops = [crop(path) for path in files] or [(phantom(modality)[0], torch.tensor([3.0, 0.8, 0.8]))]
        for name, artefact in REGISTRY.items():
            if modality not in artefact.modalities:
                continue
            cells, seconds = [], 0.0
            for severity in (0.1, 0.25, 0.5, 0.75, 1.0):
                qualities = []
                for voxels, spacing in crops:
                    context = Context(modality, spacing[None], torch.Generator().manual_seed(3))
                    started = time.process_time()
                    degraded = artefact.apply(voxels[None], torch.tensor([severity]), context).volume
                    seconds += (time.process_time() - started) / len(crops) / 5
                    found = labels.distance(voxels[None], degraded, modality, spacing[None])
                    qualities.append(labels.quality(found).item())
                cells.append(f"{np.mean(qualities):.2f} ({min(qualities):.2f}-{max(qualities):.2f})")
            print(f"{modality} {name:18s} {seconds * 1000:6.1f} ms  ", "  ".join(cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
