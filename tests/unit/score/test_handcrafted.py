from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from qagate.score import handcrafted, statistic

ALL = handcrafted.NAMES + handcrafted.MORE_NAMES


def _named(picture: np.ndarray, modality: str | None = None) -> dict[str, float]:
    return dict(zip(ALL, handcrafted.features(picture, modality, more=True).tolist(), strict=True))


@pytest.fixture(scope="module")
def phantom() -> np.ndarray:
    rows, columns = np.mgrid[:256, :256]
    picture = 0.2 + 0.5 * (np.hypot(rows - 128, columns - 128) < 90) + 0.2 * (np.hypot(rows - 110, columns - 150) < 25)
    return ndimage.gaussian_filter(picture, 1.0).astype(np.float32)


def test_there_are_47_and_names_are_unique() -> None:
    assert len(handcrafted.NAMES) == 47
    assert len(set(ALL)) == len(ALL)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (2000, 40), (64, 64), (3, 40, 50), (25, 48, 48)])
@pytest.mark.parametrize("kind", ["constant", "noise", "nan"])
def test_always_finite_and_of_one_length(shape: tuple[int, ...], kind: str) -> None:
    voxels = np.zeros(shape, np.float32)
    if kind == "noise":
        voxels = np.random.default_rng(0).normal(0, 1000, shape).astype(np.float32)
    if kind == "nan":
        voxels[...] = np.nan
    found = handcrafted.features(voxels, "MR", more=True)
    assert found.shape == (len(ALL),)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("sd", [0.02, 0.05])
def test_noise_estimates_find_white_noise(phantom: np.ndarray, sd: float) -> None:
    noisy = np.clip(phantom + np.random.default_rng(1).normal(0, sd, phantom.shape), 0, 1).astype(np.float32)
    found = _named(noisy)
    assert found["noise_haar"] == pytest.approx(sd, rel=0.1)
    assert found["noise_immerkaer"] == pytest.approx(sd, rel=0.1)


def test_blur_widens_edges_and_steepens_the_spectrum(phantom: np.ndarray) -> None:
    sharp, blurred = _named(phantom), _named(ndimage.gaussian_filter(phantom, 2.0))
    assert blurred["edge_width"] > sharp["edge_width"]
    assert blurred["spectrum_slope"] < sharp["spectrum_slope"]
    assert blurred["haar_1_axis"] < sharp["haar_1_axis"]


def test_gaussian_noise_has_the_shape_of_a_gaussian() -> None:
    noise = np.random.default_rng(2).normal(0, 1, (256, 256)).astype(np.float32)
    assert statistic.ggd(noise) == pytest.approx((2.0, 1.0), abs=0.1)
    alpha, _, left, right = statistic.aggd(noise)
    assert (alpha, left, right) == pytest.approx((2.0, 1.0, 1.0), abs=0.1)


def test_block_edges_are_seen(phantom: np.ndarray) -> None:
    blocks = np.kron(np.random.default_rng(3).random((32, 32)), np.ones((8, 8))).astype(np.float32)
    assert _named(blocks)["block_h"] > 10
    assert 0.5 < _named(phantom)["block_h"] < 2


@pytest.mark.parametrize(
    ("low", "high", "modality", "lowest", "highest"),
    [
        (0, 1, None, 0.0, 1.0),  # a picture on 0..1 stays
        (0, 255, "CT", 0.0, 1.0),  # 8 bit: / 255
        (-1000, 1000, "CT", 0.0, 1.0),  # HU: (v + 1000) / 2000
        (0, 4000, "MR", 0.0, 1.0),  # its own 0.5th to 99.5th percentile
    ],
)
def test_grey_values_are_scaled(low: float, high: float, modality: str | None, lowest: float, highest: float) -> None:
    ramp = np.linspace(low, high, 4096, dtype=np.float32).reshape(64, 64)
    grey = handcrafted.scaled(ramp, modality)
    assert (grey.min(), grey.max()) == pytest.approx((lowest, highest), abs=1e-6)


def test_one_slice_volume_equals_its_picture(phantom: np.ndarray) -> None:
    assert np.array_equal(handcrafted.features(phantom, None), handcrafted.features(phantom[None], None))
