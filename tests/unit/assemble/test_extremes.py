"""Numbers that no scanner means: they count as absent, and make no other number infinite."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qagate.assemble.series import read_series
from tests.unit.assemble.made import ct_slice, save, uid

PICTURE = (np.add.outer(np.arange(24), np.arange(28)) * 20).astype(np.uint16)
EVERYWHERE: list[dict[str, Any]] = [
    {"ImagePositionPatient": ["0", "0", "{}e300"]},
    {"ImagePositionPatient": ["0", "0", "{}e300"], "ImageOrientationPatient": None},
    {"ImagePositionPatient": None, "SliceLocation": "{}e300"},
    {"SliceThickness": "1e300"},
    {"SpacingBetweenSlices": "-1e300"},
    {"PixelSpacing": ["999", "1e-300"]},
    {"RescaleSlope": "1e38"},
    {"RescaleIntercept": "-1e300"},
]


@pytest.mark.parametrize("attributes", EVERYWHERE, ids=str)
def test_extremes(tmp_path: Path, attributes: dict[str, Any]) -> None:
    for i in range(6):
        said: dict[str, Any] = {
            name: [part.format(i + 1) for part in value] if isinstance(value, list) else value and value.format(i + 1)
            for name, value in attributes.items()
        }
        dataset = ct_slice(PICTURE, (0.0, 0.0, 2.5 * i), i, SOPInstanceUID=uid(i), **said)
        save(dataset, tmp_path)
    (volume,) = read_series(sorted(tmp_path.iterdir())).volumes
    geometry = volume.geometry
    assert geometry.shape == (6, 24, 28)
    assert volume.unscorable == ()
    numbers = (*geometry.spacing_mm, *np.ravel(geometry.affine_lps), *(one.position_mm for one in volume.slices))
    assert all(math.isfinite(number) and abs(number) < 1e7 for number in numbers)
    assert len(np.unique(volume.voxels)) > 40
