"""Labels: one scale from 0 (the same) to 1, whatever went wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from qagate.train import labels

SPACING = torch.tensor([[1.0, 1.0, 1.0]])


def picture(slices: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    body = (x**2 + y**2 < 0.7).float() * (0.5 + 0.2 * torch.sin(12 * x) * torch.cos(9 * y))
    return (body + 0.005 * torch.rand(slices, 64, 64, generator=generator))[None]


def noisy(volume: Tensor, sd: float) -> Tensor:
    return volume + sd * torch.randn(volume.shape, generator=torch.Generator().manual_seed(4))


def test_nothing_lies_between_a_volume_and_itself() -> None:
    assert labels.distance(picture(), picture(), "MR", SPACING).tolist() == [0.0]
    assert labels.quality(torch.zeros(1)).tolist() == [1.0]


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_more_noise_is_further_away_and_never_beyond_one(modality: str) -> None:
    scale, shift = (500.0, -200.0) if modality == "CT" else (1.0, 0.0)
    distances = [
        float(labels.distance(picture() * scale + shift, noisy(picture(), sd) * scale + shift, modality, SPACING))
        for sd in (0.01, 0.03, 0.1, 0.3, 3.0)
    ]
    assert distances == sorted(distances)
    assert 0 < distances[0] < 0.1
    assert distances[-1] <= 1


def test_the_slice_that_was_hit_is_the_one_that_differs() -> None:
    degraded = picture()
    degraded[:, 1] = noisy(degraded, 0.2)[:, 1]
    per_slice = labels.slice_distance(picture(), degraded, "MR", SPACING)
    assert per_slice.shape == (1, 3)
    assert per_slice[0, 0] == per_slice[0, 2] == 0
    whole = labels.distance(picture(), degraded, "MR", SPACING)
    # one of three equal slices: (d³ / 3)^⅓ = 0.693 d
    assert whole.item() == pytest.approx(0.693 * per_slice[0, 1].item(), rel=0.03)


def test_slow_shading_counts_too() -> None:
    shaded = picture() * torch.linspace(0.4, 1.0, 64)
    assert labels.quality(labels.distance(picture(), shaded, "MR", SPACING)).item() < 0.7


def test_what_lies_outside_the_ct_windows_does_not_count() -> None:
    metal = torch.full((1, 1, 64, 64), 50.0)
    metal[..., 20:30, 20:30] = 2000.0
    brighter = torch.where(metal > 1000, metal + 900, metal)
    assert labels.distance(metal, brighter, "CT", SPACING).item() == pytest.approx(0.0, abs=1e-3)


def test_the_quality_scale() -> None:
    # 1 / (1 + 1) at the half; (1/3)^(1/1.7) = 0.524 and 3^(1/1.7) = 1.908 of it give ¾ and ¼
    at = torch.tensor([1.0, 0.524, 1.908]) * labels.HALF_QUALITY_AT
    assert labels.quality(at).tolist() == pytest.approx([0.5, 0.75, 0.25], abs=2e-3)


def test_the_body_has_lungs_and_no_air_around() -> None:
    chest = torch.full((1, 1, 64, 64), -1000.0)
    chest[..., 10:54, 10:54] = 40.0
    chest[..., 20:44, 20:44] = -860.0
    mask = labels.body_mask(chest, "CT")[0, 0]
    assert mask[32, 32]
    assert mask[12, 12]
    assert not mask[2, 2]


def test_an_empty_volume_is_body_all_over() -> None:
    assert labels.body_mask(torch.zeros(1, 2, 32, 32), "MR").all()
    assert labels.body_mask(torch.full((1, 2, 32, 32), -1000.0), "CT").all()


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (2, 3, 9, 15), (1, 2, 40, 24)])
def test_small_and_broken_volumes_have_a_finite_distance(shape: tuple[int, ...]) -> None:
    volume = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    broken = volume.clone()
    broken[..., 0, 0] = torch.nan
    distance = labels.distance(volume, broken, "MR", SPACING)
    assert distance.shape == (shape[0],)
    assert torch.isfinite(distance).all()
