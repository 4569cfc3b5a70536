from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from qagate.train import simulator


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :80]
    disc = (np.hypot(rows - 48, columns - 40) < 34).astype(np.float32)
    texture = ndimage.gaussian_filter(random.normal(size=(3, 96, 80)), (0, 2, 2))
    return (disc * (0.5 + 0.5 * texture / np.abs(texture).max()))[:].astype(np.float32)


@pytest.mark.parametrize("fault", simulator.FAULTS)
def test_strength_zero_is_the_identity(body: np.ndarray, fault: str) -> None:
    hu = body * 400 - 160
    same = simulator.degraded(hu, fault, 0.0, np.random.default_rng(1), (-160, 240))
    assert np.allclose(same, hu, atol=0.01)  # 0.01 HU: float32 there and back


@pytest.mark.parametrize("fault", simulator.FAULTS)
def test_damage_grows_with_strength(body: np.ndarray, fault: str) -> None:
    damage = [
        float(np.abs(simulator.degraded(body, fault, s, np.random.default_rng(2), (0, 1)) - body).mean())
        for s in (0.0, 0.25, 0.5, 1.0)
    ]
    assert damage == sorted(damage)
    assert damage[-1] > 0.002


def test_same_seed_same_set(body: np.ndarray) -> None:
    contents = [(str(i), body[i]) for i in range(3)]
    first, again = (simulator.rated_set(contents, ["white_noise", "out_of_focus"], per_content=4, seed=5) for _ in "ab")
    assert [r.score for r in first] == [r.score for r in again]
    assert np.array_equal(first[-1].picture, again[-1].picture)


def test_raters_use_the_scale_and_see_the_fault(body: np.ndarray) -> None:
    rated = simulator.rated_set([(str(i), body[i % 3]) for i in range(8)], ["white_noise"], per_content=12)
    scores = np.array([r.score for r in rated])
    noise = [float(np.abs(r.picture - body[int(r.group) % 3]).mean()) for r in rated]
    assert scores.min() >= 0
    assert scores.max() <= 4
    assert stats.spearmanr(scores, noise).statistic < -0.7
