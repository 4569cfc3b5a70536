"""Slices that show nothing: at the ends of a stack they are air, in its middle an image was lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.assemble.series import read_series
from tests.unit.assemble.made import ct_slice, save, uid

PICTURE = (np.add.outer(np.arange(24), np.arange(28)) * 20).astype(np.uint16)


@pytest.mark.parametrize(
    ("blank", "told", "severity"),
    [((), (), ""), ((0, 1, 11), (), ""), ((5,), (5,), "moderate"), ((0, 5, 6, 11), (5, 6), "severe")],
)
def test_a_slice_that_shows_nothing(
    tmp_path: Path, blank: tuple[int, ...], told: tuple[int, ...], severity: str
) -> None:
    for i in range(12):
        shown = np.zeros_like(PICTURE) if i in blank else PICTURE
        save(ct_slice(shown, (0, 0, 1.25 * i), i, SOPInstanceUID=uid("blank", i)), tmp_path)
    (volume,) = read_series(sorted(tmp_path.iterdir())).volumes
    assert [finding.severity.value for finding in volume.findings] == ([severity] if told else [])
    assert [finding.sop_instance_uids for finding in volume.findings] == [
        tuple(uid("blank", i) for i in told) for _ in volume.findings
    ]
    assert volume.valid is not None
    assert np.flatnonzero(~volume.valid).tolist() == list(told)
