from __future__ import annotations

import numpy as np
import pytest

from qagate.train import sampling
from qagate.train.variety import COARSEST, varied
from tests.unit.train.test_sampling import packed


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_volumes_vary_and_stay_volumes(modality: str) -> None:
    source = packed("a", modality, slices=8)
    shapes, flipped = set(), 0
    for seed in range(40):
        found = varied(source, np.random.default_rng(seed))
        shapes.add(found.voxels.shape)
        assert found.voxels.dtype == np.float32
        assert np.isfinite(found.voxels).all()
        assert len(found.voxels) in (8, 4)
        grown = found.spacing_mm[1] / source.spacing_mm[1]
        assert 1.0 <= grown <= COARSEST
        assert found.spacing_mm[0] == 3.0 * 8 / len(found.voxels)
        assert (found.subject, found.prompt) == (source.subject, source.prompt)
        flipped += found.voxels.shape == source.voxels.shape and np.array_equal(found.voxels[:, ::-1], source.voxels)
    assert flipped
    assert len(shapes) > 1
    if modality == "CT":  # no picture smaller than its field is shrunk
        assert shapes == {(8, 128, 120), (4, 128, 120)}


def test_without_variety_samples_are_what_they_were() -> None:
    contents = [packed("b", "MR"), packed("c", "MR", seed=1)]
    plain = [s.volume.voxels for s in sampling.samples(contents, 3, 5)]
    same = [s.volume.voxels for s in sampling.samples(contents, 3, 5, vary=lambda volume, random: volume)]
    other = [s.volume.voxels for s in sampling.samples(contents, 3, 5, vary=varied)]
    assert all(np.array_equal(a, b) for a, b in zip(plain, same, strict=True))
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(plain, other, strict=True))
