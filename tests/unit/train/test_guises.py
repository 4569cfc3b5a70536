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


def test_another_phase_moves_soft_tissue_and_nothing_else() -> None:
    # the middle of 0..120 HU is 60: lifted by all of it; 30 by 4 x 1/4 x 3/4 of it; the ends and all beyond not at all
    hu = torch.tensor([-1000.0, -100.0, 0.0, 30.0, 60.0, 120.0, 900.0])
    lifted = guises._phase(hu, guises.PHASE_HU)
    assert (lifted - hu).tolist() == pytest.approx([0.0, 0.0, 0.0, 22.5, 30.0, 0.0, 0.0], abs=1e-4)
    fine = torch.linspace(-100, 300, 1000)
    for lift in (-guises.PHASE_HU, guises.PHASE_HU):
        assert bool((guises._phase(fine, lift).diff() >= -1e-4).all())  # what was brighter stays so
