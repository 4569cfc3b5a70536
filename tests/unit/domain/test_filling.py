"""Filling: what stands for nothing, and what only looks like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qagate.domain.filling import without_filling

MR = np.add.outer(np.arange(40), np.arange(50)) * 12  # 0..1056
BLENDS = MR - 0
BLENDS[:, 0], BLENDS[:, 1] = -9999, np.linspace(-9000, -100, 40)
NOISE = np.random.default_rng(0).normal(0, 30, MR.shape)


def filled(picture: Any, number: float) -> Any:
    """Return a picture with a filled margin."""
    found = np.array(picture)
    found[:, :6] = number
    return found


@pytest.mark.parametrize(
    ("voxels", "filling"),
    [
        (filled(MR, -32768).astype(np.int16), -32768.0),
        (filled(MR, -9999).astype(np.int16), -9999.0),
        (filled(MR / 1056.0, -1.0).astype(np.float32), -1.0),
        (filled(MR * 1.0, -3.4e38).astype(np.float32), float(np.float32(-3.4e38))),
        (BLENDS.astype(np.int16), -9999.0),  # after interpolation
        (MR.astype(np.int16), None),
        (filled(MR, -1000).astype(np.int16), None),  # an organ cut out of a CT
        (filled(MR - 1024, -3024).astype(np.int16), None),  # a CT, round field
        (filled(NOISE + 40, -2000).astype(np.float32), None),  # soft tissue alone
        ((MR - 500).astype(np.float32), None),  # normalised around 0
        (filled(MR, -5).astype(np.int16), None),  # harmless
        (np.full((4, 4), -9999, np.int16), None),  # nothing else
    ],
)
def test_what_is_filling(voxels: Any, filling: float | None) -> None:
    found, told = without_filling(voxels)
    assert told == filling
    assert found.dtype == voxels.dtype
    np.testing.assert_array_equal(found, voxels if filling is None else np.maximum(voxels, 0))
