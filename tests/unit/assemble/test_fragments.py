"""Compressed frames in several fragments, with offset tables that are right, wrong or not there."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

from qagate.assemble.child import Decoders
from qagate.assemble.series import read_series
from tests.unit.assemble.made import mr_slice, save

FRAMES = np.stack([np.add.outer(np.arange(48), np.arange(50)) * 15 + i for i in range(3)]).astype(np.uint16)


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


def item(value: bytes) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value) + len(value) % 2) + value + bytes(len(value) % 2)


@pytest.mark.parametrize("table", ["none", "right", "zeros", "rubbish"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_two_fragments_of_each_frame(tmp_path: Path, decoders: Decoders, syntax: UID, table: str) -> None:
    dataset = mr_slice(FRAMES, FrameTime=1.0)
    dataset.compress(syntax)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=3))
    pairs = [item(frame[: len(frame) // 4 * 2]) + item(frame[len(frame) // 4 * 2 :]) for frame in frames]
    right = [sum(map(len, pairs[:i])) for i in range(3)]
    offsets = {"none": [], "right": right, "zeros": [0, 0, 0], "rubbish": [7, 7, 1 << 30]}[table]
    dataset.PixelData = item(struct.pack(f"<{len(offsets)}L", *offsets)) + b"".join(pairs)
    dataset["PixelData"].is_undefined_length = True
    found = read_series([save(dataset, tmp_path)], decoders=decoders).volumes
    np.testing.assert_array_equal(np.concatenate([volume.voxels for volume in found]), FRAMES)
