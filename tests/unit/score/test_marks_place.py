from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from qagate.score import marks, marks_place


def found(x: np.ndarray, modality: str) -> dict[str, float]:
    slices = x[None].astype(np.float32)
    values = list(marks_place.marks(slices, *marks.tissue(slices, modality), modality == "CT"))
    assert len(values) == len(marks_place.NAMES)
    assert np.isfinite(values).all()
    return dict(zip(marks_place.NAMES, values, strict=True))


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """A textured disc in air, as MR shows it."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:160, :160]
    texture = ndimage.gaussian_filter(random.normal(size=(160, 160)), 2.0)
    disc = np.hypot(rows - 80, columns - 80) < 40
    return np.where(disc, 0.6 + 0.25 * texture / np.abs(texture).max(), 0.01 * random.random((160, 160)))


def test_what_was_blurred_changes_little_when_blurred_again(head: np.ndarray) -> None:
    sharp, soft = found(head, "MR"), found(ndimage.gaussian_filter(head, 2.0), "MR")
    for name in ("gauss_07", "gauss_15", "median"):
        assert soft[f"changed_{name}_edges"] < 0.7 * sharp[f"changed_{name}_edges"]
        assert soft[f"changed_{name}_size"] < sharp[f"changed_{name}_size"]
    lines = found(ndimage.uniform_filter1d(head, 5, axis=0), "MR")  # blurred down, not across
    assert lines["changed_down_edges"] < lines["changed_across_edges"]


def test_noise_in_a_corner_is_the_highest_noise(head: np.ndarray) -> None:
    spoilt = head.copy()
    spoilt[60:80, 60:80] += 0.1 * np.random.default_rng(1).normal(size=(20, 20))
    clean, noisy = found(head, "MR"), found(spoilt, "MR")
    assert noisy["noise_top"] > clean["noise_top"] + 0.1
    assert noisy["noise_low"] == pytest.approx(clean["noise_low"], abs=0.05)


def test_a_ghost_in_the_air_is_seen_along_its_axis(head: np.ndarray) -> None:
    still = found(head, "MR")
    for axis, name in ((0, "down"), (1, "across")):
        ghost = found(head + 0.1 * np.roll(head, 60, axis), "MR")
        assert ghost[f"ghost_air_{name}"] > still[f"ghost_air_{name}"] + 0.3


def test_values_heaped_at_the_top(head: np.ndarray) -> None:
    assert found(np.minimum(head, 0.6), "MR")["top_heap"] > found(head, "MR")["top_heap"] + 1.0


def test_a_bright_rim_at_the_border() -> None:
    tissue = 40.0 + 5.0 * np.random.default_rng(0).normal(size=(120, 120))
    glowing = tissue.copy()
    glowing[:, :6] += 200.0
    plain, rim = found(tissue, "CT"), found(glowing, "CT")
    assert rim["side_high"] > plain["side_high"] + 1.0  # in 100 HU
    assert rim["border_0"] > plain["border_0"] + 0.2


def test_dark_tissue_beside_bone() -> None:
    x = 40.0 + 5.0 * np.random.default_rng(0).normal(size=(120, 120))
    x[50:60, 40:44] = x[50:60, 76:80] = 1200.0
    plain = found(x, "CT")
    x[50:60, 46:74] -= 60.0
    assert found(x, "CT")["near_bone_low"] < plain["near_bone_low"] - 0.2


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("value", [0.0, -1000.0, 1.0])
def test_pictures_of_nothing_have_marks(modality: str, value: float) -> None:
    found(np.full((40, 33), value), modality)
