from __future__ import annotations

import numpy as np
import pytest

from qagate.score import tiles


@pytest.mark.parametrize(
    ("modality", "shape", "expected"),
    [
        ("CT", (4, 512, 512), (4, 176, 176)),
        ("CT", (1, 100, 300), (1, 176, 176)),  # padded with air, cut to the side
        ("MR", (3, 224, 224), (3, 224, 224)),
        ("MR", (2, 100, 512), (2, 100, 224)),  # never padded
        ("MR", (1, 5, 5), (1, 5, 5)),
    ],
)
def test_tiles_have_the_size_of_training(
    modality: str, shape: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    slab = np.zeros(shape, np.float32)
    inside = np.ones((shape[0], -(-shape[1] // 16), -(-shape[2] // 16)), bool)
    for count in (1, 3, 12):
        found = tiles.cut(slab, inside, modality, count, 0)
        assert 1 <= len(found) <= count
        assert {t.shape for t in found} == {expected}


def test_tiles_lie_where_the_body_is() -> None:
    slab = np.full((1, 512, 512), -1000.0, np.float32)
    slab[:, 96:272, 320:496] = 40.0  # cells 6..16 and 20..30
    inside = np.zeros((1, 32, 32), bool)
    inside[:, 6:17, 20:31] = True
    (found,) = tiles.cut(slab, inside, "CT", 4, 0)
    assert found.min() == 40.0


def test_without_a_body_the_middle_is_taken() -> None:
    slab = np.zeros((2, 300, 300), np.float32)
    slab[:, 150, 150] = 1.0
    (found,) = tiles.cut(slab, np.zeros((2, 19, 19), bool), "MR", 1, 5)
    assert found.max() == 1.0


def test_neighbouring_slabs_begin_with_different_tiles() -> None:
    slab = np.arange(512 * 512, dtype=np.float32).reshape(1, 512, 512)
    inside = np.ones((1, 32, 32), bool)
    firsts = {float(tiles.cut(slab, inside, "CT", 1, turn)[0][0, 0, 0]) for turn in range(9)}
    assert len(firsts) == 9  # 512 / 176: three by three


@pytest.mark.parametrize("slabs", [1, 3, 12, 30, 500])
def test_about_twelve_tiles_of_a_volume(slabs: int) -> None:
    counts = [tiles.share(number, slabs) for number in range(slabs)]
    assert sum(counts) == tiles.MOST
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(("modality", "shape"), [("CT", (4, 64, 64)), ("MR", (1, 64, 64)), ("MR", (2, 5, 5))])
def test_a_description_has_one_length(modality: str, shape: tuple[int, int, int]) -> None:
    found = tiles.describe(np.random.default_rng(0).normal(0, 1, shape), modality)
    assert found.shape == (tiles.LENGTH,)
    assert len(tiles.NAMES) == tiles.LENGTH
    assert np.isfinite(found).all()


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("slices", [2, 3, 4])
def test_a_stack_read_backwards_is_described_alike(modality: str, slices: int) -> None:
    draws = np.random.default_rng(slices)
    tile = draws.normal(100 if modality == "CT" else 0.5, 0.2, (slices, 64, 60)).astype(np.float32)
    assert np.array_equal(tiles.describe(tile, modality), tiles.describe(tile[::-1], modality))
    assert tiles.backwards(tile) != tiles.backwards(tile[::-1])
