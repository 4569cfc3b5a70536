"""Values of a CT whose header is wrong, or right, about their sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless, RLELossless

from qagate.assemble.child import Decoders
from qagate.assemble.series import read_series
from tests.unit.assemble.made import ct_slice, save


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


# what a header says of 12 bits, how HU are stored in them, and whether the header is right about the sign
SIGNS = [
    (1, 0, lambda hu: hu & 0xFFF, True),  # signed values, cut to 12 bits
    (1, 0, lambda hu: hu & 0xFFFF, True),  # signed values as they should be
    (1, -1024, lambda hu: hu + 1024, False),  # unsigned values, called signed
    (0, -1024, lambda hu: hu + 1024, True),  # unsigned values as they should be
    (0, 0, lambda hu: hu & 0xFFF, False),  # signed values, called unsigned
    (0, 0, lambda hu: hu & 0xFFFF, False),
]


@pytest.mark.parametrize("syntax", ["native", "rle", "jpeg-ls"])
@pytest.mark.parametrize(("signed", "intercept", "stored", "right"), SIGNS)
def test_signs_of_12_bits(
    tmp_path: Path,
    decoders: Decoders,
    signed: int,
    intercept: int,
    stored: Callable[[Any], Any],
    right: bool,
    syntax: str,
) -> None:
    away = np.hypot(*np.indices((40, 44)) - 20.0)
    hu = np.interp(away, [4, 6, 12, 16], [1900, 900, 40, -1000]).round().astype(int)
    hu[away > 15] += np.arange((away > 15).sum()) % 7
    bits = stored(hu).astype(np.uint16)
    if syntax != "native":
        bits &= 0xFFF
    dataset = ct_slice(bits, RescaleIntercept=intercept, BitsStored=12, HighBit=11)
    if syntax != "native":
        dataset.compress(RLELossless if syntax == "rle" else JPEGLSLossless)
    dataset.PixelRepresentation = signed
    (volume,) = read_series([save(dataset, tmp_path)], decoders=decoders).volumes
    np.testing.assert_array_equal(volume.voxels[0], hu)
    assert ("contradictory_tags" in [finding.code for finding in volume.findings]) is not right


@pytest.mark.parametrize("fill", [-2000, -2048, -1024])
def test_a_filling_below_air_is_no_bone(tmp_path: Path, fill: int) -> None:
    hu = np.add.outer(np.arange(24), np.arange(28)) * 40 - 1024  # up to 976
    hu[8:16, 8:12] = -1060  # a sharp kernel goes below air
    stored = (hu + 1024).astype(np.int16)
    stored[:, :3] = fill
    dataset = ct_slice(stored, BitsStored=12, HighBit=11)
    (volume,) = read_series([save(dataset, tmp_path)]).volumes
    expected = np.maximum(hu, -1024)
    expected[:, :3] = -1024
    np.testing.assert_array_equal(volume.voxels[0], expected)
    assert volume.findings == ()
