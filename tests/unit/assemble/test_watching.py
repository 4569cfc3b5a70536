"""A CT of one place, time and again: a bolus was watched, or a needle. An MR of one place is a cine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.assemble.series import read_series
from qagate.domain.finding import FindingCode
from tests.unit.assemble.made import ct_slice, mr_slice, save, uid

PIXELS = (np.arange(24 * 24).reshape(24, 24) % 500).astype(np.uint16)


@pytest.mark.parametrize(
    ("modality", "times", "places", "watched"),
    [("CT", 4, 1, True), ("CT", 3, 1, False), ("CT", 4, 2, False), ("MR", 9, 1, False)],
)
def test_one_place_many_times(tmp_path: Path, modality: str, times: int, places: int, watched: bool) -> None:
    made = ct_slice if modality == "CT" else mr_slice
    paths = [
        save(made(PIXELS + t, (0, 0, 5.0 * z), t * places + z, AcquisitionNumber=t, SOPInstanceUID=uid(t, z)), tmp_path)
        for t in range(times)
        for z in range(places)
    ]
    found = read_series(paths)
    assert len(found.volumes) == times
    localizers = {FindingCode.LOCALIZER in {f.code for f in volume.findings} for volume in found.volumes}
    assert localizers == {watched}
