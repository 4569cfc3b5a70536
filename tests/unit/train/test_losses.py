from __future__ import annotations

import pytest
import torch

from qagate.score.network import BINS
from qagate.train import losses


def test_soft_bins_are_a_distribution_around_the_score() -> None:
    found = losses.soft_bins(torch.tensor([0.5, 0.93]), torch.tensor([0.05, 0.05]))
    assert torch.allclose(found.sum(1), torch.ones(2))
    assert found[0].argmax() == 10
    assert float((found[0] * torch.linspace(0, 1, BINS)).sum()) == pytest.approx(0.5)


def test_ranked_probability_grows_with_the_distance_of_the_bins() -> None:
    wanted = torch.zeros(1, BINS)
    wanted[0, 10] = 1.0
    near, far = torch.full((1, BINS), -50.0), torch.full((1, BINS), -50.0)
    near[0, 11], far[0, 18] = 50.0, 50.0
    assert float(losses.ranked_probability(near, wanted)) == pytest.approx(1 / BINS)  # one bin off: one step of 1
    assert float(losses.ranked_probability(far, wanted)) == pytest.approx(8 / BINS)


def test_fidelity_prefers_the_right_order_and_looks_within_contents_only() -> None:
    wanted = torch.tensor([0.9, 0.5, 0.9, 0.5])
    group = torch.tensor([0, 0, 1, 1])
    right, wrong = torch.tensor([0.8, 0.6, 0.5, 0.3]), torch.tensor([0.6, 0.8, 0.3, 0.5])
    assert float(losses.fidelity(right, wanted, group)) < 0.05
    assert float(losses.fidelity(wrong, wanted, group)) > 0.5
    shifted = torch.tensor([0.8, 0.6, 0.3, 0.1])  # the second content is worse as a whole: no fault
    assert float(losses.fidelity(shifted, wanted, group)) == pytest.approx(float(losses.fidelity(right, wanted, group)))


def test_fidelity_of_equals_is_nothing() -> None:
    score = torch.tensor([0.2, 0.7], requires_grad=True)
    loss = losses.fidelity(score, torch.tensor([0.5, 0.5]), torch.tensor([0, 0]))
    loss.backward()
    assert float(loss.detach()) == 0.0
