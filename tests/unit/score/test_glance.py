"""What pixels alone say, on made bodies; on the development data see tests/unit/work/test_reading.py."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qagate.domain.prompt import REGIONS
from qagate.domain.volume import Geometry, SliceRef, Volume
from qagate.score.glance import ELSEWHERE, SHIPPED, glance, measures, shipped

AXES = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def volume(voxels: Any, mm: float = 0.8) -> Volume:
    geometry = Geometry(voxels.shape, (3.0, mm, mm), AXES)
    slices = tuple(SliceRef("1", "", None, 3.0 * i) for i in range(len(voxels)))
    return Volume(voxels, geometry, slices, {})


def thorax(seed: int = 0) -> Any:
    """36 x 24 cm of fat and muscle, two lungs, a spine, ribs: (4, 400, 512) HU."""
    y, x = np.mgrid[-160:160:400j, -205:205:512j]  # mm
    hu = np.full(x.shape, -1000.0)
    hu[(x / 180) ** 2 + (y / 120) ** 2 < 1] = -100
    hu[(x / 160) ** 2 + (y / 105) ** 2 < 1] = 50
    for side in (-1, 1):
        hu[((x - side * 75) / 60) ** 2 + (y / 80) ** 2 < 1] = -850
    hu[(x / 20) ** 2 + ((y - 85) / 18) ** 2 < 1] = 400
    ring = np.abs(np.hypot(x / 150, y / 95) - 1)
    hu[(ring < 0.03) & (np.sin(8 * np.arctan2(y, x)) > 0.4)] = 500
    return (hu + np.random.default_rng(seed).normal(0, 15, (4, *hu.shape))).astype(np.int16)


def test_a_thorax_is_taken_for_a_chest_in_ct() -> None:
    found = glance(volume(thorax()), "CT", "axial")
    assert max(found.modality, key=found.modality.__getitem__) == "CT"
    assert max(found.regions, key=found.regions.__getitem__) == "chest"
    assert found.slices == 4
    assert sum(found.modality.values()) == pytest.approx(1.0)
    assert glance(volume(thorax()), None, "axial").regions == pytest.approx(found.regions)


def test_no_region_is_sure_in_a_plane_that_was_never_learnt() -> None:
    assert glance(volume(thorax()), "CT", "coronal").sure <= {"CT"}
    assert glance(volume(thorax()), "CT", None).sure <= {"CT"}


def test_no_region_is_sure_of_what_is_narrower_than_a_trunk() -> None:
    y, x = np.mgrid[-128:128:512j, -128:128:512j]  # mm
    limb = np.where(x**2 + y**2 < 100**2, 0.0, -1000.0)
    limb = (limb + np.random.default_rng(1).normal(0, 15, (3, *limb.shape))).astype(np.int16)
    for wide, found in ((20, glance(volume(limb, 0.5), "CT", "axial")), (40, glance(volume(limb, 1.0), "CT", "axial"))):
        assert max(found.regions.values()) > 0.95
        assert bool(found.sure & set(REGIONS)) == (wide > 24)


def test_a_picture_without_a_size_shows_no_region() -> None:
    flat = volume(thorax())
    found = glance(replace(flat, geometry=replace(flat.geometry, known=False)), "CT", "axial")
    assert found.regions == {}


def test_noise_is_neither() -> None:
    rng = np.random.default_rng(3)
    found = glance(volume(rng.integers(0, 255, (3, 128, 128)).astype(np.int16), 2.0), "MR", "axial")
    assert "neither" in found.sure
    assert not found.sure & set(REGIONS)


@pytest.mark.parametrize(
    "voxels",
    [
        np.zeros((0, 0, 0), np.int16),
        np.zeros((3, 16, 16), np.int16),
        np.full((2, 16, 300), -1024, np.int16),
        np.full((1, 64, 64), 1e30, np.float32),
        np.eye(20, dtype=np.float32)[None] * 1e-20,
        np.full((1, 64, 64), np.nan, np.float32),
        np.zeros((2, 8, 1), np.int16),
    ],
)
def test_anything_may_be_shown_to_it(voxels: Any) -> None:
    found = glance(volume(voxels), None, None)
    assert found.slices == len(voxels)
    assert all(0 <= share <= 1 for share in (*found.modality.values(), *found.regions.values()))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_voxels_that_hold_no_number_count_as_the_lowest(odd: float) -> None:
    real = thorax().astype(np.float32)
    real[:, :5] = odd
    lowest = thorax().astype(np.float32)
    lowest[:, :5] = lowest[:, 5:].min((1, 2), keepdims=True)
    assert glance(volume(real), None, "axial") == glance(volume(lowest), None, "axial")


def test_invalid_slices_are_not_looked_at() -> None:
    bad = replace(volume(thorax()), valid=np.array([True, False, True, False]))
    assert glance(bad, "CT", "axial").slices == 2


def test_the_shipped_table_keeps_to_its_own_rules() -> None:
    table = shipped()
    data = json.loads(SHIPPED.read_text())
    assert table.weights.shape == (len(measures(thorax()[0], (0.8, 0.8), "axial")) + 1, len(table.classes))
    for name, level in table.sure_from.items():
        assert 0.5 < level <= 1
        if name in data["held_out"]:  # at least 5 volumes right for every wrong claim in 20
            right, wrong = data["held_out"][name]["sure"][str(level)]
            assert right >= 5
            assert wrong <= 0.1 * (right + wrong)
    assert not any(name.endswith(ELSEWHERE) for name in table.sure_from)
