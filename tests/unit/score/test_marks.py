from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from qagate.score.marks import NAMES, marks

from .bundles import ct

Slices = np.ndarray


def _mr(slices: int = 4, side: int = 128) -> Slices:
    """A made-up head: an ellipse with organs that change slowly from slice to slice, and faint noise."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    out = np.zeros((slices, side, side), np.float32)
    for number in range(slices):
        inside = np.hypot(x / 0.38, y / 0.44) < 1
        shift = 0.03 * number
        organs = sum(
            a * (np.hypot(x - cx - shift, y - cy) < r)
            for a, cx, cy, r in ((0.3, -0.1, 0.1, 0.1), (-0.2, 0.1, -0.1, 0.12), (0.25, 0.0, -0.25, 0.05))
        )
        out[number] = inside * (0.5 + organs)
    out = ndimage.gaussian_filter(out, (0, 0.7, 0.7))
    return np.abs(out + np.random.default_rng(1).normal(0, 0.01, out.shape)).astype(np.float32)


def _of(slab: Slices, name: str, modality: str = "MR") -> float:
    return float(marks(slab, modality)[NAMES.index(name)])


def test_there_is_one_number_for_each_name() -> None:
    assert len(set(NAMES)) == len(NAMES) == 83
    for slices in (1, 2, 3, 4):
        found = marks(_mr(slices), "MR")
        assert found.shape == (83,)
        assert np.isfinite(found).all()
        assert found[0] == (slices == 1)


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize(
    "slab",
    [
        np.zeros((4, 64, 64)),
        np.full((2, 40, 50), 700.0),
        np.full((1, 32, 32), -1000.0),
        np.zeros((3, 5, 4)),
        np.eye(64)[None] * 3000 - 1000,
        np.full((2, 64, 64), -5.0),
    ],
)
def test_nothing_to_see_is_no_error(slab: Slices, modality: str) -> None:
    assert np.isfinite(marks(slab, modality)).all()


def _lines_lost(x: Slices) -> Slices:
    space = np.fft.fft2(x)
    space[:, 20:108:3] = 0
    return np.abs(np.fft.ifft2(space)).astype(np.float32)


def _spiked(x: Slices) -> Slices:
    space = np.fft.fft2(x)
    space[:, 30, 20] += 900
    return np.abs(np.fft.ifft2(space)).astype(np.float32)


def _ghost(x: Slices) -> Slices:
    return x + 0.4 * np.roll(x, 40, 1)


def _shaded(x: Slices) -> Slices:
    return (x * np.exp(1.2 * (np.arange(128) / 128 - 0.5))[None, None]).astype(np.float32)


def _jumped(x: Slices) -> Slices:
    out = x.copy()
    out[2] = np.roll(out[2], 7, 1)
    return out


def _one_dark(x: Slices) -> Slices:
    return x * np.array([1, 0.7, 1, 0.7], np.float32)[:, None, None]


def _copied(x: Slices) -> Slices:
    return x[[0, 1, 1, 3]]


def _blocks(x: Slices) -> Slices:
    return np.repeat(np.repeat(x[:, ::8, ::8], 8, 1), 8, 2)


@pytest.mark.parametrize(
    ("harm", "name", "rises"),
    [
        (lambda x: x[[0, 2, 1, 3]], "order_cost", True),
        (_copied, "step_min", False),
        (_copied, "fine_correlation_max", True),
        (_jumped, "shift_max", True),
        (_one_dark, "gain_alternation", True),
        (lambda x: np.round(x * 8) / 8, "equal_across", True),
        (lambda x: np.round(x * 8) / 8, "grey_entropy", False),
        (lambda x: np.minimum(x, 0.5), "at_top", True),
        (_blocks, "block_down", True),
        (_lines_lost, "lines_down", True),
        (_spiked, "spike", True),
        (_ghost, "ghost_down", True),
        (_shaded, "shade_sd", True),
        (lambda x: ndimage.gaussian_filter(x, (0, 1.5, 1.5)), "band_1", False),
        (lambda x: x + np.random.default_rng(0).normal(0, 0.05, x.shape), "noise", True),
        (lambda x: x[:, 30:100, 30:100], "border_4", True),
    ],
)
def test_each_artefact_leaves_its_mark(harm: object, name: str, rises: bool) -> None:
    clean = _mr()
    change = _of(harm(clean), name) - _of(clean, name)  # type: ignore[operator]
    assert change > 1e-3 if rises else change < -1e-3


def test_metal_and_streaks_of_ct_leave_marks() -> None:
    clean = ct(3).astype(np.float32)
    dense = clean.copy()
    dense[:, 60:66, 60:66] = 3000
    assert _of(dense, "dense_share", "CT") > _of(clean, "dense_share", "CT")
    y, x = np.mgrid[: clean.shape[1], : clean.shape[2]]
    streaks = clean + np.random.default_rng(2).normal(0, 60, 500)[x + y]
    assert _of(streaks, "angle_high", "CT") > _of(clean, "angle_high", "CT") + 0.1
