"""The strength that is logged is the strength that is in the image."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from qagate.train.degrade import REGISTRY, Context, Degraded, ct_ring

SPACING = torch.tensor([[3.0, 0.8, 0.8]])


def degraded(name: str, volume: Tensor, modality: str, severity: float = 0.5) -> Degraded:
    context = Context(modality, SPACING.expand(len(volume), 3), torch.Generator().manual_seed(2))
    return REGISTRY[name].apply(volume, torch.full((len(volume),), severity), context)


def test_ct_noise_has_the_logged_standard_deviation() -> None:
    volume = torch.full((2, 3, 64, 64), 40.0)
    found = degraded("ct_noise", volume, "CT")
    assert (found.volume - volume).std(dim=(1, 2, 3)).tolist() == pytest.approx(
        found.parameters["noise_sd_hu"].tolist(), rel=0.01
    )
    # halfway on the log scale between 5 and 110 HU lies sqrt(5 · 110) = 23.5
    assert found.parameters["noise_sd_hu"][0].item() == pytest.approx(23.45, abs=0.01)


def test_ct_noise_comes_in_every_grain() -> None:
    volume = torch.full((24, 1, 64, 64), 40.0)
    noise = degraded("ct_noise", volume, "CT").volume - volume
    # how alike neighbours are, where they are least: over 0.6 after a very smooth kernel, below 0.1 after a sharp one
    power = noise.square().mean((1, 2, 3))
    across = (noise[..., 1:] * noise[..., :-1]).mean((1, 2, 3)) / power
    down = (noise[..., 1:, :] * noise[..., :-1, :]).mean((1, 2, 3)) / power
    assert torch.minimum(across, down).max() > 0.6
    assert torch.minimum(across, down).min() < 0.1


def test_mr_noise_in_air_is_rayleigh() -> None:
    volume = torch.zeros(8, 3, 64, 64)
    found = degraded("mr_noise", volume, "MR")
    ratio = found.volume.mean(dim=(1, 2, 3)) / found.parameters["noise_sd"]
    # sqrt(π / 2) σ where the noise is even; the volumes with a geometry factor have the same mean within a third
    assert ratio.median().item() == pytest.approx(math.sqrt(math.pi / 2), rel=0.1)


def test_a_gaussian_blur_has_the_logged_width() -> None:
    volume = torch.zeros(6, 1, 65, 65)
    volume[:, :, 32, 32] = 1
    found = degraded("blur", volume, "MR")
    place = torch.arange(65) - 32.0
    along = torch.stack(
        [(found.volume.sum(axis)[:, 0] * place**2).sum(-1).sqrt() for axis in (3, 2)], 1
    )  # (volumes, rows or columns) standard deviation in pixels
    assert along.amax(1).tolist() == pytest.approx(found.parameters["blur_sd_pixels"].tolist(), rel=0.02)
    assert found.parameters["blur_sd_mm"][0].item() == pytest.approx(0.8 * found.parameters["blur_sd_pixels"][0].item())


def test_ghosts_lie_one_period_s_share_of_the_field_away() -> None:
    volume = torch.zeros(12, 1, 64, 64)
    volume[:, :, 30:34, 30:34] = 1.0
    found = degraded("mr_ghosting", volume, "MR", 1.0)
    for one, period, axis in zip(
        found.volume, found.parameters["ghost_period"], found.parameters["phase_axis"], strict=True
    ):
        if period != 2:
            continue
        profile = one[0].sum(1 - int(axis))
        # two lines per period: half the field of view, 32 of 64 pixels
        assert profile[[62, 63, 0, 1]].mean() > 3 * profile[[12, 13, 14, 50, 51]].mean()


def test_a_bias_field_has_the_logged_spread() -> None:
    volume = torch.full((4, 3, 64, 64), 0.5)
    found = degraded("mr_bias_field", volume, "MR")
    spread = torch.log(found.volume / 0.5).std(dim=(1, 2, 3))
    assert spread.tolist() == pytest.approx(found.parameters["log_field_sd"].tolist(), rel=0.05)


def test_a_bad_detector_element_makes_a_ring_at_its_own_radius() -> None:
    profile = torch.zeros(100)
    profile[60] = 1.0
    ring = ct_ring.turned(100) @ profile
    assert ring.argmax() == 60
    # narrow: more than two pixels away only the tail of the ramp filter is left
    away = (torch.arange(100) - 60).abs() > 2
    assert ring[away].abs().max() < 0.15 * ring[60]


def test_rings_have_the_logged_height() -> None:
    volume = torch.zeros(2, 2, 96, 96)
    found = degraded("ct_ring", volume, "CT")
    height = torch.quantile(found.volume.abs().flatten(1), 0.995, dim=1)
    assert height.tolist() == pytest.approx(found.parameters["ring_hu"].tolist(), rel=0.1)


def test_dropped_slices_are_gone_and_repeated_ones_are_equal() -> None:
    volume = torch.arange(6.0)[None, :, None, None].expand(1, 6, 20, 20).contiguous()
    dropped = degraded("slice_drop", volume, "MR")
    left = set(dropped.volume[0, :, 0, 0].tolist())
    assert len(left) == 6 - dropped.parameters["dropped_slices"].item()
    repeated = degraded("slice_duplicate", volume, "MR")
    assert len(set(repeated.volume[0, :, 0, 0].tolist())) == 6 - repeated.parameters["repeated_slices"].item()
    swapped = degraded("slice_swap", volume, "MR").volume[0, :, 0, 0]
    assert sorted(swapped.tolist()) == list(range(6))
    assert swapped.tolist() != list(range(6))
