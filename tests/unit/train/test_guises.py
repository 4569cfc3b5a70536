from __future__ import annotations

import pytest
import torch

from qagate.train import guises


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_guise_keeps_the_size_and_the_order_of_greys(modality: str) -> None:
    ramp = torch.linspace(0.1, 0.9, 64)
    ramp = (ramp * 1000 if modality == "CT" else ramp).expand(6, 2, 64, 64)
    changed, field = guises.disguise(ramp, ramp, modality, torch.Generator().manual_seed(3))
    assert changed.shape == field.shape == ramp.shape
    assert bool(changed.isfinite().all())
    assert not torch.equal(changed, ramp)
    # flips and transposition apart, neighbours stay neighbours: no jump above a twentieth of the range
    jumps = torch.maximum(field.diff(dim=-1).abs().amax((1, 2, 3)), field.diff(dim=-2).abs().amax((1, 2, 3)))
    assert float(jumps.max()) < 0.05 * float(ramp.max() - ramp.min()) * 1.5
