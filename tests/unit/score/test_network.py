from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from qagate.domain.prompt import Prompt
from qagate.score.network import BINS, SIZES, Network, neighbours, size
from qagate.score.vocabulary import encode, stack

TINY = SIZES["tiny"]
CT = encode(Prompt(modality="CT", regions=("chest",)), (1, 1, 1), 4)
MR = encode(Prompt(modality="MR", organ="brain"), (3, 1, 1), 9)


def pictures(batch: int = 2, slices: int = 3, side: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(batch, slices, 5, side, side, generator=generator),
        torch.randn(batch, slices, 5, 64, 64, generator=generator),
    )


@pytest.mark.parametrize("slices", [1, 2, 5])
def test_shapes(slices: int) -> None:
    network = Network(TINY).eval()
    prediction, tokens = network(*pictures(slices=slices), stack([CT, MR]))
    assert prediction.logits.shape == (2, BINS)
    assert prediction.attributes.shape == (2, 18)
    assert prediction.slices.shape == (2, slices)
    assert tokens.scores.shape == tokens.weights.shape == (2, slices, 6, 6)
    assert bool(((prediction.score > 0) & (prediction.score < 1)).all())


def test_the_shipped_size_is_small() -> None:
    assert 300_000 < size(Network(SIZES["small"])) < 900_000


@pytest.mark.parametrize(
    "flags", [{"prompt": "none"}, {"prompt": "additive"}, {"pseudo_3d": False}, {"planar": False}, {}]
)
def test_ablations_run_and_learn(flags: dict[str, object]) -> None:
    network = Network(replace(TINY, **flags))  # type: ignore[arg-type]
    prediction, _ = network(*pictures(), stack([CT, MR]))
    prediction.score.sum().backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_a_network_needs_one_branch() -> None:
    with pytest.raises(ValueError, match="got neither"):
        Network(replace(TINY, planar=False, pseudo_3d=False))


def test_without_a_prompt_its_words_say_nothing() -> None:
    network = Network(replace(TINY, prompt="none")).eval()
    x = pictures(1)
    assert torch.equal(network(*x, CT)[0].logits, network(*x, MR)[0].logits)


def test_with_a_prompt_its_words_count() -> None:
    network = Network(TINY).eval()
    x = pictures(1)
    assert not torch.equal(network(*x, CT)[0].logits, network(*x, MR)[0].logits)


def test_without_the_pseudo_3d_branch_slices_are_seen_alone() -> None:
    network = Network(replace(TINY, pseudo_3d=False)).eval()
    x, _ = pictures(1, 3)
    condition = network.condition(CT)
    together = network.look(x, condition).features[:, 1]
    alone = network.look(x[:, 1:2], condition).features[:, 0]
    deep = TINY.widths[-1]  # after these come the statistics, which do look at the neighbours
    assert torch.allclose(together[:, :deep], alone[:, :deep], atol=1e-5)


def test_neighbours_repeat_at_the_ends() -> None:
    x = torch.arange(3.0).reshape(3, 1, 1, 1)
    assert neighbours(x, 3)[:, :, 0, 0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    assert neighbours(x, 1)[:, :, 0, 0].tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
