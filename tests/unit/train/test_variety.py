from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qagate.train import sampling
from qagate.train.pack import Packed
from qagate.train.variety import AS_MR, COARSEST, CONTRASTS, FINEST, SMALLEST, as_mr, enlarged, varied
from tests.unit.train.test_sampling import packed


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_volumes_vary_and_stay_volumes(modality: str) -> None:
    source = packed("a", modality, slices=8)
    shapes, flipped, finer, coarser = set(), 0, 0, 0
    for seed in range(40):
        found = varied(source, np.random.default_rng(seed))
        shapes.add(found.voxels.shape)
        assert found.voxels.dtype == np.float32
        assert np.isfinite(found.voxels).all()
        assert len(found.voxels) in (8, 4)
        grown = found.spacing_mm[1] / source.spacing_mm[1]
        assert FINEST[modality] - 0.01 <= grown <= COARSEST
        finer += grown < 1.0
        coarser += grown > 1.0
        assert found.spacing_mm[0] == 3.0 * 8 / len(found.voxels)
        assert (found.subject, found.prompt) == (source.subject, source.prompt)
        flipped += found.voxels.shape == source.voxels.shape and np.array_equal(found.voxels[:, ::-1], source.voxels)
    assert flipped
    assert len(shapes) > 2
    assert finer
    # no picture is shrunk below the smallest: 120 pixels of MR may become 64, those of CT stay above 140
    assert bool(coarser) == (modality == "MR")
    assert min(min(shape[1:]) for shape in shapes) >= min(SMALLEST[modality], 120)


def test_without_variety_samples_are_what_they_were() -> None:
    contents = [packed("b", "MR"), packed("c", "MR", seed=1)]
    plain = [s.volume.voxels for s in sampling.samples(contents, 3, 5)]
    same = [s.volume.voxels for s in sampling.samples(contents, 3, 5, vary=lambda volume, random: volume)]
    other = [s.volume.voxels for s in sampling.samples(contents, 3, 5, vary=varied)]
    assert all(np.array_equal(a, b) for a, b in zip(plain, same, strict=True))
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(plain, other, strict=True))


def trunk() -> Packed:
    """A disc of fat with a disc of muscle and one of bone in it, on a table, in air; pixels of 0.625 mm."""
    row, column = np.mgrid[:160, :160].astype(np.float32)
    hu = np.full((4, 160, 160), -1000.0, np.float32)
    for centre, radius, value in ((80, 60, -100.0), (80, 40, 50.0), (80, 8, 900.0)):
        hu[:, np.hypot(row - 70, column - centre) < radius] = value
    hu[:, 150:154, 20:140] = 200.0
    return replace(packed("a", "CT"), voxels=hu, spacing_mm=(3.0, 0.625, 0.625))


def test_a_ct_shown_as_mr_has_greys_by_tissue_and_no_table() -> None:
    source = trunk()
    seen = [as_mr(source, np.random.default_rng(seed)) for seed in range(12)]
    fat_brighter = 0
    for found in seen:
        assert (found.prompt.modality, found.kind, found.subject) == ("MR", AS_MR, source.subject)
        assert found.spacing_mm == (3.0, 1.25, 1.25)  # pixels twice as wide: half as many
        assert found.voxels.shape == (4, 80, 80)
        assert found.voxels.dtype == np.float32
        air, table, bone = found.voxels[:, :4].mean(), found.voxels[:, 75:77, 12:68].mean(), found.voxels[:, 35, 40]
        fat, muscle = found.voxels[:, 35, 14:17].mean(), found.voxels[:, 35, 52:56].mean()
        assert air < 0.05
        assert table < 0.05
        assert bone.mean() < min(fat, muscle)
        assert max(fat, muscle) > 0.4
        fat_brighter += bool(fat > muscle)
    assert 0 < fat_brighter < len(seen)  # in no fixed order


def test_stacks_of_ct_join_the_others() -> None:
    phantom = replace(trunk(), kind="phantom")
    single = replace(trunk(), voxels=trunk().voxels[:1])
    given = [trunk(), packed("m", "MR"), phantom, single]
    found = enlarged(given)
    assert found[:4] == given
    assert [p.prompt.modality for p in found[4:]] == ["MR"] * CONTRASTS
    assert not np.array_equal(found[4].voxels, found[5].voxels)
    again = enlarged(given)
    assert all(np.array_equal(a.voxels, b.voxels) for a, b in zip(found, again, strict=True))
