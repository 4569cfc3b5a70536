from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qagate.errors import InputError
from qagate.train import metrics


@pytest.mark.parametrize(
    ("predicted", "reference", "srcc", "krocc", "pairs"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0, 1.0, 1.0),
        ([4, 3, 2, 1], [10, 20, 30, 40], -1.0, -1.0, 0.0),
        # one neighbour swap of four: 1 - 6*2/(4*15) = 0.8; 5 concordant, 1 discordant of 6
        ([1, 3, 2, 4], [1, 2, 3, 4], 0.8, 4 / 6, 5 / 6),
        ([5, 5, 5, 5], [1, 2, 3, 4], 0.0, 0.0, 0.5),  # a constant orders nothing: each pair half
    ],
)
def test_rank_figures_with_known_answers(
    predicted: list[float], reference: list[float], srcc: float, krocc: float, pairs: float
) -> None:
    assert metrics.srcc(predicted, reference) == pytest.approx(srcc)
    assert metrics.krocc(predicted, reference) == pytest.approx(krocc)
    assert metrics.pair_accuracy(predicted, reference) == pytest.approx(pairs)


def test_errors_with_known_answers() -> None:
    # errors 1, -1, 1, -1 → rmse 1; reference 0, 2, 4, 6 has population variance 5
    assert metrics.rmse([1, 1, 5, 5], [0, 2, 4, 6]) == pytest.approx(1.0)
    assert metrics.rmse_sd([1, 1, 5, 5], [0, 2, 4, 6]) == pytest.approx(1 / np.sqrt(5))
    assert metrics.rmse_sd([3, 3, 3, 3], [0, 2, 4, 6]) == pytest.approx(1.0)  # the mean


@given(st.integers(0, 10_000))
def test_agree_with_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    p, r = random.normal(size=30).round(1), random.normal(size=30).round(1)
    assert metrics.srcc(p, r) == pytest.approx(stats.spearmanr(p, r).statistic)
    assert metrics.plcc(p, r) == pytest.approx(stats.pearsonr(p, r).statistic)


def test_logistic_straightens_a_curved_relation() -> None:
    x = np.linspace(-4, 4, 60)
    r = 10 + 80 / (1 + np.exp(-1.5 * x))
    found = metrics.agreement(x, r)
    assert found.plcc < 0.98
    assert found.plcc_fitted == pytest.approx(1.0, abs=1e-6)
    assert found.rmse_fitted == pytest.approx(0.0, abs=1e-3)


def test_logistic_is_never_worse_than_a_line() -> None:
    random = np.random.default_rng(3)
    p = random.normal(size=40)
    r = -2 * p + random.normal(size=40)
    fitted = metrics.fit_logistic(p, r)(p)
    line = np.polyval(np.polyfit(p, r, 1), p)
    assert metrics.rmse(fitted, r) <= metrics.rmse(line, r) + 1e-9


def test_within_content_ignores_offsets_between_contents() -> None:
    groups = ["a"] * 3 + ["b"] * 3 + ["c"]
    predicted, reference = [1, 2, 3, 101, 102, 103, 7], [11, 12, 13, 1, 2, 3, 9]
    assert metrics.srcc_within(predicted, reference, groups) == pytest.approx(1.0)
    assert metrics.srcc(predicted, reference) < 0
    assert metrics.srcc_within([1, 2], [1, 2], ["a", "b"]) is None


def test_auc_with_known_answers() -> None:
    # positives 3, 1 against negatives 2, 0: pairs won 3>2, 3>0, 1>0, lost 1<2 → 3/4
    assert metrics.auc([3, 2, 1, 0], [True, False, True, False]) == pytest.approx(0.75)
    assert metrics.auc([1, 2], [True, True]) is None


@pytest.mark.parametrize(("p", "r"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([1, 2, np.nan], [1, 2, 3])])
def test_what_cannot_be_compared_is_said(p: list[float], r: list[float]) -> None:
    with pytest.raises(InputError, match="got"):
        metrics.agreement(p, r)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_figures_without_a_unit_do_not_depend_on_the_unit(unit: float) -> None:
    reference = np.array([1.0, 3.0, 2.0, 5.0]) * unit
    predicted = np.array([1.0, 2.0, 3.0, 4.0]) * unit
    assert metrics.plcc(predicted, reference) == pytest.approx(stats.pearsonr(predicted, reference).statistic)
    assert metrics.rmse_sd(predicted, reference) == pytest.approx(0.866 / 1.479, rel=1e-3)  # √(3/4) over SD


def test_a_constant_that_rounding_makes_vary_is_constant() -> None:
    constant = np.full(3, 0.1)
    assert np.std(constant) > 0
    assert metrics.plcc(constant * 1e9, [1.0, 2.0, 4.0]) == 0.0
    assert metrics.rmse_sd([1.0, 2.0, 3.0], constant) == float("inf")
