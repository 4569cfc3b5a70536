"""How `qagate train evaluate` and `finetune` read DICOM: training itself knows none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from qagate.assemble.series import Limits
from qagate.domain.volume import Volume
from qagate.errors import InputError
from qagate.work.inputs import find
from qagate.work.inputs import read as read_input


def read(path: Path) -> tuple[npt.NDArray[Any], tuple[float, float, float]]:
    """Return voxels (slices, rows, columns) and spacing in mm (slice, row, column) of a DICOM file or folder.

    Of several volumes the one with most voxels is taken. Raises InputError when there is none.
    """
    found: list[Volume] = []
    why = ""
    for item in find([path]):
        volumes = read_input(item, Limits())
        found += volumes.volumes
        why = why or (volumes.why_empty.detail if not volumes.volumes else "")
    if not found:
        raise InputError(f"{path} must hold pictures, got {why or 'nothing that can be read'}")
    volume = max(found, key=lambda one: one.voxels.size)
    return volume.voxels, volume.geometry.spacing_mm
