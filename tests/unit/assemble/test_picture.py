"""PNG, JPEG, TIFF, BMP and GIF pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qagate.assemble.picture import read_picture
from qagate.errors import InputError, QagateError, TooLarge, UnreadablePixels

GREY = (np.arange(30 * 40).reshape(30, 40) % 251).astype(np.uint8)


def codes(path: Path) -> list[str]:
    return [f.code.value for f in read_picture(path).volumes[0].findings]


@pytest.mark.parametrize(
    ("name", "pixels", "dtype"),
    [
        ("a.png", GREY, np.int16),
        ("a.tif", GREY.astype(np.uint16) * 100, np.int16),
        ("b.tif", GREY.astype(np.uint16) * 200, np.float32),  # up to 50000
        ("c.tif", GREY.astype(np.float32) / 3, np.float32),
        ("b.png", GREY.astype(np.uint16) * 100, np.int16),
        ("a.bmp", GREY, np.int16),
        ("a.gif", GREY, np.int16),
    ],
)
def test_values(tmp_path: Path, name: str, pixels: np.ndarray, dtype: type) -> None:
    path = tmp_path / name
    Image.fromarray(pixels).save(path)
    (volume,) = read_picture(path).volumes
    assert volume.voxels.dtype == dtype
    np.testing.assert_allclose(volume.voxels[0], pixels)
    assert not volume.geometry.known
    assert codes(path) == ["no_position"]


def test_grey_in_colour_is_grey_and_colour_is_colour(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.stack([GREY] * 3, axis=2)).save(path)
    np.testing.assert_array_equal(read_picture(path).volumes[0].voxels[0], GREY)
    assert codes(path) == ["no_position"]
    Image.fromarray(np.stack([GREY, GREY // 2, 255 - GREY], axis=2)).save(path)
    assert "colour" in codes(path)


def test_pages_and_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pages = [Image.fromarray(GREY), Image.fromarray(GREY[::-1]), Image.fromarray(GREY[:20])]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    found = read_picture(path)
    assert [v.voxels.shape for v in found.volumes] == [(2, 30, 40), (1, 20, 40)]
    jpeg = tmp_path / "a.jpg"
    Image.fromarray(GREY).save(jpeg)
    assert "lossy_compression" in codes(jpeg)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"hello")
    with pytest.raises(InputError):
        read_picture(path)
    with pytest.raises(InputError):
        read_picture(tmp_path / "absent.png")
    Image.fromarray(GREY).save(path)
    with pytest.raises(TooLarge):
        read_picture(path, max_bytes=100)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadablePixels):
        read_picture(path)


def test_mutated_pictures_raise_only_our_errors(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    for suffix in ("png", "jpg", "tif"):
        path = tmp_path / f"m.{suffix}"
        Image.fromarray(GREY).save(path)
        whole = path.read_bytes()
        for _ in range(60):
            raw = bytearray(whole)
            for at in rng.integers(0, len(raw), 5):
                raw[at] = int(rng.integers(0, 256))
            path.write_bytes(raw)
            try:
                read_picture(path, max_bytes=1 << 22)
            except QagateError:
                continue
