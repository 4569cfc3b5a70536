from __future__ import annotations

import pytest
import torch

from qagate.domain.assessment import ATTRIBUTES
from qagate.train import data, pack
from qagate.train.degrade import REGISTRY
from qagate.train.degrade.artefact import Artefact, Context, Degraded

from .volumes import folder


def _darker(volume: torch.Tensor, severity: torch.Tensor, context: Context) -> Degraded:
    """A trivial artefact: the lower half of the picture goes dark."""
    out = volume.clone()
    half = volume.shape[2] // 2
    weight = severity[:, None] if context.slice_weight is None else severity[:, None] * context.slice_weight
    out[:, :, half:] -= weight[:, :, None, None] * (500.0 if context.modality == "CT" else 0.5)
    return Degraded(out, {"drop": severity})


TRIVIAL = {"darker": Artefact("darker", "clipping", ("CT", "MR"), True, _darker)}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> list[pack.Packed]:
    place = tmp_path_factory.mktemp("volumes")
    pack.write(folder(place, 6), place / "x.qpk")
    return list(pack.volumes(place / "x.qpk"))


def test_a_group_goes_from_clean_to_bad(packed: list[pack.Packed]) -> None:
    groups = data.Groups(packed, TRIVIAL, seed=1)
    for index in range(4):
        group = groups.make(index)
        assert group.modality == ("CT", "MR")[index % 2]
        assert group.crops.shape[:2] == (2, data.LEVELS + 1)
        assert group.crops.shape[-2:] == (data.PATCH, data.PATCH)
        assert group.fields.shape[-2:] == (64, 64)
        assert float(group.distances[:, 0].abs().max()) == 0
        assert float(group.attributes[0].abs().max()) == 0
        column = group.attributes[:, ATTRIBUTES.index("clipping")]
        assert column.tolist() == sorted(column.tolist())
        assert bool((group.distances >= 0).all())
        assert bool((group.distances <= 1).all())


def test_a_group_follows_from_seed_and_index(packed: list[pack.Packed]) -> None:
    first, second = data.Groups(packed, REGISTRY, seed=1).make(5), data.Groups(packed, REGISTRY, seed=1, start=5)
    again = next(iter(second))
    assert first.artefacts == again.artefacts
    assert torch.equal(first.crops, again.crops)
    assert torch.equal(first.distances, again.distances)


def test_a_batch_has_every_level_and_a_twin(packed: list[pack.Packed]) -> None:
    groups = [data.Groups(packed, TRIVIAL, seed=2).make(i) for i in range(3)]
    made = data.batch(groups, packed, TRIVIAL, torch.Generator().manual_seed(0))
    size = 3 * (data.LEVELS + 2)
    assert made.pictures.shape == (size, data.SLICES, 5, data.PATCH, data.PATCH)
    assert made.fields.shape == (size, data.SLICES, 5, 64, 64)
    assert len(made.prompts) == size
    assert bool(made.pictures.isfinite().all())
    assert bool((made.distances[made.twin[:, 0]] == made.distances[made.twin[:, 1]]).all())
    assert made.known.sum(1).tolist() == [1.0] * size  # the trivial artefact teaches one attribute
