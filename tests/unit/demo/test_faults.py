from __future__ import annotations

import numpy as np
import pytest

from qagate.demo import faults, phantom


def disc() -> np.ndarray:
    y, x = np.mgrid[:64, :64] - 31.5
    image = np.where(np.hypot(x, y) < 16, 1000, 0).astype(np.int16)
    return np.stack([image] * 3)


class TestCtMotion:
    def test_only_the_named_slices_change(self) -> None:
        still = phantom.abdomen((4, 48, 48)).voxels
        moved = faults.ct_motion(still, [1, 2], shift_pixels=4)
        assert [(moved[i] != still[i]).any() for i in range(4)] == [False, True, True, False]
        assert moved is not still

    def test_no_shift_is_no_change(self) -> None:
        still = phantom.abdomen((2, 48, 48)).voxels
        assert np.abs(faults.ct_motion(still, [0, 1], shift_pixels=0).astype(int) - still).max() <= 1


class TestMrMotion:
    def test_ghosts_lie_along_the_phase_direction(self) -> None:
        moved = faults.mr_motion(disc(), shift_pixels=4)
        above, beside = moved[:, :12, 24:40].mean(), moved[:, 24:40, :12].mean()
        assert above > 10 * (beside + 0.1)

    def test_energy_is_kept(self) -> None:
        # phases only: the sum of squares stays (Parseval)
        before, after = (disc().astype(float) ** 2).sum(), (faults.mr_motion(disc()).astype(float) ** 2).sum()
        assert after == pytest.approx(before, rel=0.02)


def test_mr_noise_is_rician() -> None:
    noisy = faults.mr_noise(np.zeros((2, 64, 64)), sigma=100, seed=1)
    # without signal the magnitude is Rayleigh: mean = sigma * sqrt(pi / 2) = 125.3
    assert noisy.mean() == pytest.approx(125.3, rel=0.02)
    assert noisy.min() >= 0
