"""Physical measures on phantoms whose true values are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Geometry, Volume
from qagate.score.physics import measure

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
SIZE = 192


def volume_of(voxels: npt.NDArray[Any], spacing_mm: tuple[float, float, float] = (3.0, 0.8, 0.8)) -> Volume:
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    return Volume(voxels, Geometry(shape, spacing_mm, IDENTITY), (), {})


def measured(voxels: npt.NDArray[Any], modality: str) -> dict[str, float]:
    return {m.name: m.value for m in measure(volume_of(voxels), Prompt(modality=modality))}


def disc(radius: float = 60.0, slices: int = 4) -> npt.NDArray[np.float32]:
    """Return a disc of ones with a hard edge, drawn eight times finer so that its edge is no staircase."""
    fine = 8
    place = (np.arange(SIZE * fine) + 0.5) / fine - SIZE / 2
    drawn = (np.hypot(place[:, None] - 3.3, place) < radius).astype(np.float32)
    pixels = drawn.reshape(SIZE, fine, SIZE, fine).mean((1, 3))
    return np.repeat(pixels[None], slices, 0)


def noise(sd: float, slices: int = 4, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, sd, (slices, SIZE, SIZE)).astype(np.float32)


def ct(sd: float = 10.0, blur: float = 0.8) -> npt.NDArray[np.float32]:
    return ndimage.gaussian_filter(disc(), (0, blur, blur)) * 1050 - 1000 + noise(sd)


def rician(signal: npt.NDArray[np.float32], sd: float) -> npt.NDArray[np.float32]:
    return np.hypot(signal + noise(sd, seed=2), noise(sd, seed=3))


@pytest.mark.parametrize("sd", [5.0, 12.0, 30.0])
def test_ct_noise_is_the_standard_deviation_put_in(sd: float) -> None:
    found = measured(ct(sd), "CT")
    assert found["noise_hu"] == pytest.approx(sd, rel=0.1)
    assert found["noise_air_hu"] == pytest.approx(sd, rel=0.1)


@pytest.mark.parametrize("radius", [90, 110, 125])  # 31, 8 and 1 % of the picture lie beyond
def test_padding_beyond_the_round_field_is_no_air(radius: int) -> None:
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    beyond = np.hypot(y, x) > radius
    assert measured(np.where(beyond, -2000, ct(10.0)), "CT")["noise_air_hu"] == pytest.approx(10.0, rel=0.1)
    assert "noise_air_hu" not in measured(np.where(beyond, -2000, np.maximum(ct(10.0), -1000)), "CT")


def test_ct_numbers_of_air_and_soft_tissue() -> None:
    found = measured(ct(10.0) - 12, "CT")
    assert found["air_offset_hu"] == pytest.approx(-12, abs=1.2)  # -1000 - 12 + 1000
    assert found["soft_tissue_peak_hu"] == pytest.approx(38, abs=2)  # 1050 - 1000 - 12


@pytest.mark.parametrize("blur", [0.9, 1.4, 2.0])
def test_mtf50_of_a_gaussian_edge(blur: float) -> None:
    # a pixel's own area adds 1/12 to the variance; 0.1874 / (0.8 mm · sqrt(1.4² + 1/12)) = 0.164 / mm for 1.4
    expected = np.sqrt(np.log(2) / 2) / (np.pi * 0.8 * np.sqrt(blur**2 + 1 / 12))
    assert measured(ct(8.0, blur), "CT")["mtf50_per_mm"] == pytest.approx(expected, rel=0.1)


def test_mtf50_counts_per_millimetre() -> None:
    fine = measure(volume_of(ct(8.0, 1.2), (3.0, 0.4, 0.4)), Prompt(modality="CT"))
    coarse = measure(volume_of(ct(8.0, 1.2), (3.0, 0.8, 0.8)), Prompt(modality="CT"))
    values = [next(m.value for m in found if m.name == "mtf50_per_mm") for found in (fine, coarse)]
    assert values[0] == pytest.approx(2 * values[1])


def test_nothing_is_said_for_each_mm_where_the_size_of_a_pixel_is_a_stand_in() -> None:
    voxels = ct()
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    for spacing, said in (((1.0, 1.0, 1.0), False), ((1.0, 0.7, 0.7), True)):
        volume = Volume(voxels, Geometry(shape, spacing, IDENTITY, known=False), (), {})
        names = {m.name for m in measure(volume, Prompt(modality="CT"))}
        assert ("mtf50_per_mm" in names) == said
        assert "noise_hu" in names


def test_streak_index_of_noise_and_of_streaks() -> None:
    x = np.arange(SIZE)
    stripes = np.float32(25) * np.sin(2 * np.pi * x / 8).astype(np.float32)  # along rows
    still, streaky = measured(ct(10.0), "CT"), measured(ct(10.0) + stripes, "CT")
    assert still["streak_index"] < 0.2
    # 3 x 3 Sobel: noise N = 12 · 10² = 1200; stripes S = (4 · 2 sin(2π/8) · 25)² / 2 = 10 000
    assert streaky["streak_index"] == pytest.approx(10_000 / (10_000 + 2 * 1200), rel=0.1)


@pytest.mark.parametrize("snr", [10.0, 25.0])
def test_mr_signal_to_noise(snr: float) -> None:
    found = measured(rician(disc() * 500, 500 / snr), "MR")
    assert found["snr"] == pytest.approx(snr, rel=0.1)
    assert found["snr_tissue"] == pytest.approx(snr, rel=0.1)


def test_mr_contrast_to_noise() -> None:
    two = np.maximum(disc(60) * 300, disc(40) * 500)
    assert measured(rician(two, 10.0), "MR")["cnr"] == pytest.approx((500 - 300) / 10, rel=0.1)


def test_mr_energy_of_body_over_air() -> None:
    # Rayleigh air: E(x²) = 2 · 20²; body: 500² + 2 · 20²
    assert measured(rician(disc() * 500, 20.0), "MR")["fber"] == pytest.approx((500**2 + 800) / 800, rel=0.1)


def test_mr_ghosts_beside_the_body() -> None:
    body = disc(40) * 500
    ghost = 0.08 * np.roll(body, SIZE // 2, axis=1)  # half a field of view along rows
    rows = np.flatnonzero(body[0].any(1))
    columns = slice(*np.flatnonzero(body[0].any(0))[[0, -1]])
    above = np.concatenate((ghost[0, : rows[0] - 6, columns], ghost[0, rows[-1] + 7 :, columns])).mean()
    found = measured(rician(body + ghost, 2.0), "MR")["ghosting_ratio"]
    assert found == pytest.approx(above / 500, rel=0.15)  # the air's Rician floor adds a little above and beside alike
    assert measured(rician(body, 2.0), "MR")["ghosting_ratio"] < 0.001


def test_entropy_focus() -> None:
    even = np.full((2, 64, 64), 7.0)
    even[0, 0, 0] = 7.001  # not one value only
    assert measured(even, "MR")["efc"] == pytest.approx(1.0, abs=1e-3)
    point = np.zeros((2, 64, 64))
    point[:, 5, 5] = 9
    assert measured(point, "MR")["efc"] == pytest.approx(0.0, abs=1e-6)


def test_extent_of_the_body() -> None:
    voxels = np.concatenate((ct(), ct()))
    voxels[0] = voxels[1] = -1000
    found = measured(voxels, "CT")
    assert found["slices_with_body"] == pytest.approx(6 / 8)
    assert found["body_at_first_slice"] == 0
    assert found["body_at_last_slice"] == pytest.approx(1.0, abs=0.02)
    assert found["field_of_view_clipping"] == 0
    assert measured(voxels[:, 60:140, 60:140], "CT")["field_of_view_clipping"] == pytest.approx(6 / 8)


@pytest.mark.parametrize("modality", ["CT", "MR", None])
@pytest.mark.parametrize(
    "voxels",
    [
        np.zeros((3, 64, 64), np.int16),
        np.full((1, 64, 64), np.nan, np.float32),
        np.where(np.eye(64) > 0, np.nan, 40.0)[None].astype(np.float32),
        np.random.default_rng(0).normal(0, 30, (1, 64, 64)),
        np.random.default_rng(0).normal(0, 30, (2, 16, 300)).astype(np.int16),
        np.random.default_rng(0).normal(0, 30, (2, 5, 5)),
        np.full((4, 64, 64), -1000, np.int16) + np.eye(64, dtype=np.int16),
        np.linspace(-3e38, 3e38, 64 * 64, dtype=np.float32).reshape(1, 64, 64),
        np.where(np.arange(64 * 64).reshape(1, 64, 64) == 100, np.inf, 5.0),
        np.zeros((0, 64, 64), np.int16),
    ],
    ids=["constant", "nan", "diagonal nan", "one slice", "oblong", "tiny", "air", "extreme", "infinite", "empty"],
)
def test_odd_volumes_do_not_raise_and_give_finite_values(voxels: npt.NDArray[Any], modality: str | None) -> None:
    assert all(np.isfinite(m.value) for m in measure(volume_of(voxels), Prompt(modality=modality)))


def test_unreadable_slices_are_left_out() -> None:
    voxels = ct(10.0)
    voxels[1] = 3000
    volume = Volume(
        voxels, Geometry(voxels.shape, (3.0, 0.8, 0.8), IDENTITY), (), {}, valid=np.array([True, False, True, True])
    )
    found = {m.name: m.value for m in measure(volume, Prompt(modality="CT"))}
    assert found["slices_with_body"] == 1
    assert found["field_of_view_clipping"] == 0


def test_nothing_is_said_in_hu_of_grey_values_of_a_window() -> None:
    grey = np.clip((ct() + 160) / 400 * 255, 0, 255).round()
    for voxels in (grey.astype(np.int16), (grey / 255).astype(np.float32)):
        assert measured(voxels, "CT") == {}


@pytest.mark.parametrize("offset", [1024, 32768])
def test_stored_values_are_measured_as_the_hu_they_stand_for(offset: int) -> None:
    voxels = np.maximum(np.round(ct()), -1024)
    assert measured(voxels + offset, "CT") == pytest.approx(measured(voxels, "CT"))
