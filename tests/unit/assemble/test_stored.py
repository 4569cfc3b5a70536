"""Uncompressed pixels that lie in a file as the standard would not have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.assemble.series import read_series
from tests.unit.assemble.made import ct_slice, mr_slice, save, uid

RAMP = (np.arange(21 * 19) * 10).reshape(21, 19)  # an odd number of pixels


def packed(values: np.ndarray) -> bytes:
    """Return an even number of values as 12 bits each, two in three bytes."""
    low, high = (values.ravel().astype(int) & 0xFFF).reshape(-1, 2).T
    triples = (low | high << 12).astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]
    return triples.tobytes() + bytes(triples.size % 2)


@pytest.mark.parametrize(("signed", "low"), [(False, 0), (True, -1000)])
def test_pixels_of_12_bits_without_a_gap(tmp_path: Path, signed: bool, low: int) -> None:
    frames = np.stack([RAMP // 3 + low, RAMP // 3 + low + 7])
    dataset = mr_slice(frames.astype(np.int16), PixelRepresentation=int(signed), FrameTime=1.0)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 12, 12, 11
    dataset.PixelData = packed(frames)
    found = read_series([save(dataset, tmp_path)]).volumes
    assert [volume.unscorable for volume in found] == [(), ()]
    np.testing.assert_array_equal(np.concatenate([volume.voxels for volume in found]), frames)


@pytest.mark.parametrize(("lacking", "whole"), [(2, True), (2 * 19, True), (2 * 20, False)])
def test_pixels_that_lack_less_than_a_row_are_filled_up(tmp_path: Path, lacking: int, whole: bool) -> None:
    files = []
    for i in range(3):
        dataset = ct_slice(RAMP.astype(np.uint16), (0, 0, i), i, SliceThickness=1, SOPInstanceUID=uid(i))
        if i == 1:
            dataset.PixelData = dataset.PixelData[:-lacking]
        files.append(save(dataset, tmp_path))
    (volume,) = read_series(files).volumes
    assert [finding.code.value for finding in volume.findings] == [
        "contradictory_tags" if whole else "unreadable_slice"
    ]
    assert len(volume.findings[0].sop_instance_uids) == 1
    expected = RAMP - 1024
    expected.ravel()[-lacking // 2 :] = -1024
    np.testing.assert_array_equal(volume.voxels[1], expected if whole else -1024)
