"""Grey pages of TIFF files as both readers of pictures see them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qagate.assemble.picture import read_picture
from qagate.train.pictures import read_image

RAMP = np.arange(400).reshape(20, 20)


def tiff(path: Path, values: np.ndarray, white_is_zero: bool = False) -> None:
    """Write one page as the dtype says: little endian, no compression."""
    data = values.tobytes()
    kinds = {"u": 1, "i": 2}
    entries = [
        (256, 4, values.shape[1]), (257, 4, values.shape[0]), (258, 3, 8 * values.dtype.itemsize), (259, 3, 1),
        (262, 3, 0 if white_is_zero else 1), (273, 4, 8), (277, 3, 1), (278, 4, values.shape[0]), (279, 4, len(data)),
        (339, 3, kinds[values.dtype.kind]),
    ]  # fmt: skip
    listed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    path.write_bytes(head + data + struct.pack("<H", len(entries)) + listed + struct.pack("<I", 0))


@pytest.mark.parametrize(
    ("stored", "white_is_zero", "meant"),
    [
        ((RAMP * 100).astype("<u2"), True, 65535 - RAMP * 100),
        ((RAMP * 100).astype("<u2"), False, RAMP * 100),
        ((RAMP % 256).astype("u1"), True, 255 - RAMP % 256),  # Pillow turns these itself
        ((RAMP % 256 - 128).astype("i1"), False, RAMP % 256 - 128),
        ((RAMP * 100 - 20000).astype("<i2"), False, RAMP * 100 - 20000),
        ((RAMP.astype(np.int64) * 10_000_000).astype("<u4"), False, RAMP.astype(np.int64) * 10_000_000),
    ],
)
def test_numbers_mean_what_the_tags_say(
    tmp_path: Path, stored: np.ndarray, white_is_zero: bool, meant: np.ndarray
) -> None:
    tiff(tmp_path / "a.tif", stored, white_is_zero)
    assert np.allclose(read_image(tmp_path / "a.tif")[0][0], meant, rtol=1e-7)
    assert np.allclose(read_picture(tmp_path / "a.tif").volumes[0].voxels[0], meant, rtol=1e-7)


def test_pages_of_the_largest_size_are_the_slices(tmp_path: Path) -> None:
    thumbnail = Image.fromarray(np.full((8, 9), 3, np.uint8))
    pages = [Image.fromarray((RAMP % 250 + n).astype(np.uint8)) for n in range(2)]
    thumbnail.save(tmp_path / "a.tif", save_all=True, append_images=pages)
    assert read_image(tmp_path / "a.tif")[0].shape == (2, 20, 20)
