from __future__ import annotations

import numpy as np
import pytest

from qagate.demo import phantom

SHAPE = (18, 64, 64)  # 180 mm / 18 = 10 mm slices, 400 mm / 64 = 6.25 mm pixels


class TestAbdomen:
    def test_organs_have_their_values(self) -> None:
        scan = phantom.abdomen(SHAPE, dose=0)
        assert scan.spacing_mm == (10.0, 6.25, 6.25)
        assert scan.voxels.dtype == np.int16
        liver = scan.voxels[11, 32, 18]  # z 115, x (18 - 31.5) * 6.25 = -84 (right), y 3: liver, 112 HU
        assert 85 < liver < 160
        assert scan.voxels[9, 0, 0] == -1000
        assert scan.voxels.max() > 400  # bone
        kidney = scan.voxels[7, 39, 45]  # z 75, x 84 (left), y 47: cortex
        assert 60 < kidney < 230
        lung = scan.voxels[17, 34, 43]  # z 175, x 72, y 16
        assert lung < -700

    def test_seed_repeats_and_differs(self) -> None:
        first, again, other = (phantom.abdomen((3, 32, 32), seed=s).voxels for s in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).mean() > 0.5

    @pytest.mark.parametrize("make", [phantom.abdomen, phantom.chest, phantom.head])
    def test_all_bodies_vary_along_z(self, make: object) -> None:
        voxels = make((6, 48, 48), dose=0).voxels  # type: ignore[operator]
        assert voxels.shape == (6, 48, 48)
        assert all((voxels[i] != voxels[i + 1]).mean() > 0.02 for i in range(5))


class TestNoise:
    WATER = np.zeros((4, 128, 128), np.float32)

    def noise(self, dose: float) -> float:
        return float(phantom.add_noise(self.WATER, (3.0, 0.8, 0.8), dose=dose, seed=0)[:, 32:96, 32:96].std())

    def test_quarter_of_the_dose_is_twice_the_noise(self) -> None:
        assert self.noise(0.25) / self.noise(1.0) == pytest.approx(2.0, rel=0.05)  # sqrt(1 / 0.25)

    def test_no_dose_is_no_noise(self) -> None:
        assert self.noise(0) == 0

    def test_long_way_is_noisier_and_streaks_along_it(self) -> None:
        flat = np.full((8, 128, 128), -1000, np.float32)
        flat[:, 48:80, 8:120] = 40  # 112 pixels wide, 32 high: horizontal rays lose most
        grain = phantom.add_noise(flat, (3.0, 2.0, 2.0), dose=1.0, seed=0)[:, 50:78, 20:108] - 40.0
        along = np.mean(grain[:, :, 1:] * grain[:, :, :-1])
        across = np.mean(grain[:, 1:] * grain[:, :-1])
        assert along > across  # neighbours along x belong to one ray

    def test_noise_of_a_usual_scan(self) -> None:
        scan = phantom.abdomen((2, 128, 128), seed=3)
        still = phantom.abdomen((2, 128, 128), seed=3, dose=0)
        noise = (scan.voxels - still.voxels)[:, 54:74, 40:60].std()
        assert 5 < noise < 25  # HU, as body scans with a soft kernel have
