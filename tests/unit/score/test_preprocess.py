from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from qagate.score import preprocess
from qagate.score.preprocess import (
    CHANNELS,
    apply_standard,
    beyond_window,
    body,
    channels,
    filled,
    overview,
    standard_of,
    standardise,
)

from .bundles import ct


def test_ct_stays_in_hu_and_is_clipped() -> None:
    voxels = np.array([[[-3000, -1000], [40, 5000]]], np.int16)
    standard, how = standardise(voxels, "CT")
    assert how == preprocess.Standard("CT", 0.0, 1.0)
    assert standard.tolist() == [[[-1024, -1000], [40, 2000]]]


@pytest.mark.parametrize(("white", "kind"), [(1.0, np.float32), (255, np.uint8)])
def test_a_grey_ct_picture_is_taken_for_a_soft_tissue_window(white: float, kind: type) -> None:
    grey = (np.linspace(0, 1, 64).reshape(1, 8, 8) * white).astype(kind)
    standard, how = standardise(grey, "CT")
    assert how.windowed
    assert standard.min() == pytest.approx(-160)
    assert standard.max() == pytest.approx(240)
    assert standard.ravel() == pytest.approx(-160 + 400 / white * grey.ravel().astype(float), abs=0.01)


def test_what_a_window_cut_off_is_air_and_bone_and_no_plateau() -> None:
    hu = ct(1, 128, 144).astype(np.float32)
    grey = np.clip((hu + 160) / 400, 0, 1)
    grey[0, 64, 40] = 0.0  # noise in tissue
    found = beyond_window(standardise(grey, "CT")[0])[0]
    assert (found[:8] == -1000).all()  # outside the body
    assert found[64, 40] == pytest.approx(-160)
    bone = found[grey[0] == 1.0]
    assert bone.min() > 240
    assert np.ptp(bone) > 50
    inside = (grey[0] > 0) & (grey[0] < 1)
    assert np.abs(found[inside] - hu[0][inside]).max() < 0.01


def test_mr_does_not_depend_on_the_scanners_scale() -> None:
    picture = np.random.default_rng(0).gamma(2.0, 100.0, (3, 40, 40)).astype(np.float32)
    first, second = standardise(picture, "MR")[0], standardise(picture * 17.0 + 5.0, "MR")[0]
    assert np.abs(first - second).max() < 1e-3
    assert np.percentile(first, 99.5) == pytest.approx(1.0, abs=0.1)


def test_what_is_not_a_number_becomes_background() -> None:
    voxels = np.full((1, 4, 4), np.nan, np.float32)
    voxels[0, 0] = [np.inf, -np.inf, 1.0, -500.0]
    assert np.isfinite(standardise(voxels, "CT")[0]).all()
    assert np.isfinite(standardise(voxels, "MR")[0]).all()
    assert np.isfinite(standardise(np.full((1, 4, 4), np.nan), None)[0]).all()


def test_a_constant_volume_has_a_finite_standard() -> None:
    for modality in ("CT", "MR"):
        flat = np.full((2, 8, 8), 7, np.int16)
        assert np.isfinite(apply_standard(flat, standard_of(flat, modality))).all()


def test_body_is_found_by_cells() -> None:
    found = body(ct(2, 128, 144).astype(np.float32), "CT")
    assert found.shape == (2, 8, 9)
    assert found[0, 4, 4]
    assert not found[0, 0, 0]


# share of the field that each slice shows, 1 = all of its 64 cells → 0-based slices that stay
@pytest.mark.parametrize(
    ("shares", "kept"),
    [
        ((1.0, 1.0, 1.0), [0, 1, 2]),
        ((0.0, 1.0, 0.5, 0.0, 0.0), [1, 2]),
        ((1 / 64, 1.0, 1 / 64), [1]),  # 1 of 64 cells is less than 3 %
        ((2 / 64, 1.0, 2 / 64), [0, 1, 2]),
        ((0.5, 0.0, 0.0, 0.5), [0, 1, 2, 3]),  # black between others is a fault, and is judged
        ((0.0, 0.0), [0, 1]),
    ],
)
def test_empty_slices_at_the_ends_are_left_out(shares: tuple[float, ...], kept: list[int]) -> None:
    voxels = np.zeros((len(shares), 128, 128), np.float32)
    for slice_, share in zip(voxels, shares, strict=True):
        for cell in range(round(share * 64)):
            row, column = divmod(cell, 8)
            slice_[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] = 900.0
    how = standard_of(voxels, "MR")
    assert filled(voxels, np.arange(len(voxels)), how, "MR").tolist() == kept
    assert filled(voxels, np.arange(len(voxels))[::-1], how, "MR").tolist() == kept[::-1]


def test_channels_are_five_bounded_and_local() -> None:
    slab = torch.from_numpy(ct(3, 64, 64).astype(np.float32))[None]
    pictures = channels(slab, "CT", ("chest",))
    assert pictures.shape == (1, 3, CHANNELS, 64, 64)
    assert float(pictures.abs().max()) < 12
    alone = channels(slab[:, 1:2], "CT", ("chest",))
    assert torch.equal(alone[:, 0], pictures[:, 1])


def test_the_fine_filters_are_those_of_the_definition() -> None:
    """Delta minus Gaussian, and a Laplacian of a Gaussian without a mean, as plain 9 x 9 convolutions."""
    axis = torch.arange(-4, 5, dtype=torch.float64)
    square = axis[:, None] ** 2 + axis[None, :] ** 2
    gauss = torch.exp(-square / 2.0)
    high_pass = -gauss / gauss.sum()
    high_pass[4, 4] += 1.0
    broad = torch.exp(-square / 8.0)
    blobs = (square / 16.0 - 0.5) * broad / broad.sum()
    kernels = torch.stack([high_pass, blobs - blobs.mean()])[:, None]
    x = torch.from_numpy(ct(2, 70, 90).astype(np.float64))[:, None]
    wanted = F.conv2d(F.pad(x, (4, 4, 4, 4), mode="replicate"), kernels)
    for found, one in zip(preprocess._fine(x), wanted.split(1, 1), strict=True):
        assert torch.allclose(found, one, atol=1e-9)
    assert torch.allclose(preprocess._fine(torch.full((1, 1, 20, 20), 70.0))[1], torch.zeros(1), atol=1e-4)


def test_asinh_is_asinh() -> None:
    x = torch.tensor([0.0, -0.0, 1e-7, -1e-7, 0.3, -5.0, 4e4, -4e6])
    assert torch.allclose(preprocess._asinh(x), torch.asinh(x), rtol=1e-6, atol=0)


def test_more_noise_is_seen_in_the_noise_channel() -> None:
    quiet, loud = (torch.from_numpy(ct(1, 64, 64, noise).astype(np.float32))[None] for noise in (2.0, 40.0))
    assert float(channels(loud, "CT")[0, 0, 4].mean()) > float(channels(quiet, "CT")[0, 0, 4].mean()) + 0.3


@pytest.mark.parametrize("shape", [(30, 20), (64, 64), (100, 300)])
def test_the_overview_has_one_size(shape: tuple[int, int]) -> None:
    assert overview(torch.zeros(2, 3, *shape)).shape == (2, 3, 64, 64)
