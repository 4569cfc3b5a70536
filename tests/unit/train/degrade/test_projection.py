"""The projector: what goes in comes back, on any slice size."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from qagate.train.degrade import projection


def disc(rows: int, columns: int, radius: float) -> Tensor:
    y = torch.arange(rows) - (rows - 1) / 2
    x = torch.arange(columns) - (columns - 1) / 2
    return (radius + 0.5 - torch.hypot(y[:, None], x)).clamp(0, 1)[None, None]


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (48, 80)])
def test_a_disc_survives_projection_and_reconstruction(rows: int, columns: int) -> None:
    image = disc(rows, columns, 15)
    scan = projection.projector(image)
    again = scan.reconstruct(scan.project(image))
    inside, outside = disc(rows, columns, 12)[0, 0] > 0.99, disc(rows, columns, 18)[0, 0] < 0.01
    assert again[0, 0][inside].mean().item() == pytest.approx(1.0, abs=0.01)
    assert again[0, 0][outside].abs().mean().item() < 0.03


def test_every_view_sees_the_whole_mass() -> None:
    image = disc(64, 64, 20)
    sinogram = projection.projector(image).project(image)
    assert sinogram.shape == (1, 1, projection.VIEWS, math.ceil(math.hypot(64, 64)) + 3)
    assert torch.allclose(sinogram.sum(-1), image.sum().expand(1, 1, projection.VIEWS), rtol=1e-3)
    # the longest path is the diameter, 2 · 20 pixels; pixel-driven projection ripples by some per cent near 45 degrees
    assert sinogram.amax(-1).median().item() == pytest.approx(40, rel=0.05)


def test_backprojection_is_the_transpose_of_projection() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 1, 32, 40, generator=generator)
    scan = projection.projector(image)
    sinogram = torch.rand(1, 1, projection.VIEWS, len(scan.offsets), generator=generator)
    there = (scan.project(image) * sinogram).sum()
    back = (image.reshape(-1) * (scan.backward @ sinogram.reshape(-1, 1))[:, 0]).sum()
    assert there.item() == pytest.approx(back.item(), rel=1e-3)


def test_large_slices_are_projected_on_a_coarser_grid() -> None:
    volume = torch.zeros(1, 1, 512, 500)
    grid, in_plane_mm = projection.working_grid(volume, torch.tensor([[1.0, 0.5, 0.5]]))
    assert grid.shape == (1, 1, 256, 250)
    assert in_plane_mm.tolist() == [1.0]
    assert projection.add(volume, torch.ones(1, 1, 256, 250)).shape == volume.shape
