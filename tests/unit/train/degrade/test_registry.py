"""What every artefact promises, on a generated phantom."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from qagate.domain.assessment import ATTRIBUTES
from qagate.train import labels
from qagate.train.degrade import FAULTS, REGISTRY, Context

SLICES, SIZE = 5, 64
CASES = [(name, modality) for name, artefact in FAULTS.items() for modality in artefact.modalities]


def phantom(modality: str) -> Tensor:
    """Return (1, slices, size, size): an ellipse with rods that change from slice to slice, and some texture."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    generator = torch.Generator().manual_seed(7)
    stack = []
    for number in range(SLICES):
        image = (x**2 + (y / 0.8) ** 2 < 0.85).float() * 0.5
        for rod in range(6):
            angle = torch.tensor(rod * 1.05 + 0.25 * number)
            near = torch.hypot(x - 0.5 * torch.cos(angle), y - 0.5 * torch.sin(angle))
            image = torch.where(near < 0.08 + 0.02 * rod, torch.tensor(0.3 + 0.14 * rod), image)
        stack.append(image + 0.01 * torch.rand(SIZE, SIZE, generator=generator))
    volume = torch.stack(stack)[None]
    # 0 air, 0.5 soft tissue (40 HU), 1 bone: 0.5 → 40, slope 400 HU per unit above, air below
    return torch.where(volume > 0.2, (volume - 0.5) * 600 + 40, -1000 + 100 * volume) if modality == "CT" else volume


def run(name: str, modality: str, severity: float, seed: int = 5, slice_weight: Tensor | None = None) -> Tensor:
    volume = phantom(modality)
    spacing = torch.tensor([[3.0, 0.8, 0.8]])
    context = Context(modality, spacing, torch.Generator().manual_seed(seed), slice_weight)
    return FAULTS[name].apply(volume, torch.tensor([severity]), context).volume


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_severity_zero_is_the_image_itself(name: str, modality: str) -> None:
    assert torch.equal(run(name, modality, 0.0), phantom(modality))


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_damage_grows_with_severity(name: str, modality: str) -> None:
    spacing = torch.tensor([[3.0, 0.8, 0.8]])
    distances = [
        float(labels.distance(phantom(modality), run(name, modality, severity), modality, spacing))
        for severity in (0.0, 0.25, 0.5, 1.0)
    ]
    assert distances[0] == 0
    # artefacts that move whole slices have steps, and steps may be equal
    assert all(later >= earlier - 1e-4 for earlier, later in pairwise(distances)), distances
    assert distances[1] > 0
    assert distances[3] > distances[1]


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_shape_is_kept_values_are_finite_and_the_seed_decides(name: str, modality: str) -> None:
    first, again = run(name, modality, 0.6), run(name, modality, 0.6)
    assert first.shape == phantom(modality).shape
    assert first.dtype == torch.float32
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)


@pytest.mark.parametrize(("name", "modality"), [case for case in CASES if FAULTS[case[0]].local])
def test_a_local_artefact_leaves_other_slices_alone(name: str, modality: str) -> None:
    weight = torch.tensor([[0.0, 1.0, 1.0, 0.5, 0.0]])
    volume, degraded = phantom(modality), run(name, modality, 0.8, slice_weight=weight)
    assert torch.equal(degraded[:, [0, 4]], volume[:, [0, 4]])
    assert not torch.equal(degraded[:, 1:4], volume[:, 1:4])


@pytest.mark.parametrize("name", REGISTRY)
def test_names_and_attributes_are_in_the_vocabulary(name: str) -> None:
    artefact = REGISTRY[name]
    assert artefact.name == name
    assert artefact.attribute in ATTRIBUTES
    assert set(artefact.modalities) <= {"CT", "MR"}


def test_every_attribute_is_taught_by_an_artefact() -> None:
    assert {artefact.attribute for artefact in REGISTRY.values()} == set(ATTRIBUTES)


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_strengths_are_logged_per_volume(name: str, modality: str) -> None:
    volume = phantom(modality).expand(2, -1, -1, -1)
    context = Context(modality, torch.tensor([[3.0, 0.8, 0.8]] * 2), torch.Generator().manual_seed(1))
    degraded = FAULTS[name].apply(volume, torch.tensor([0.0, 1.0]), context)
    assert degraded.parameters
    assert all(value.shape == (2,) for value in degraded.parameters.values())
    assert torch.equal(degraded.volume[0], volume[0])
    assert not torch.equal(degraded.volume[1], volume[1])


@pytest.mark.parametrize(("name", "modality"), CASES)
@pytest.mark.parametrize("shape", [(1, 1, 40, 56), (2, 2, 48, 40)])
def test_one_or_two_oblong_slices_are_no_trouble(name: str, modality: str, shape: tuple[int, ...]) -> None:
    volume = torch.rand(shape, generator=torch.Generator().manual_seed(2))
    volume = volume * 300 - 100 if modality == "CT" else volume
    context = Context(modality, torch.ones(shape[0], 3), torch.Generator().manual_seed(1))
    degraded = FAULTS[name].apply(volume, torch.full((shape[0],), 0.9), context).volume
    assert degraded.shape == volume.shape
    assert torch.isfinite(degraded).all()
