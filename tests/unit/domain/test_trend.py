from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from qagate.domain.trend import BASELINE, CAUTION, WIDTH_SIGMA, Usual, chart, cusum, ewma, usual, wilson

STANDARD = Usual(0.0, 1.0)


def run_length_of_cusum(shift: float, rng: np.random.Generator, most: int = 6000) -> int:
    found = cusum(rng.normal(shift, 1, most).tolist(), STANDARD)
    return found.seen + 1 if found else most


def run_length_of_ewma(shift: float, rng: np.random.Generator, most: int = 6000) -> int:
    values = rng.normal(shift, 1, most).tolist()
    return next((i + 1 for i, (average, width) in enumerate(ewma(values, STANDARD)) if abs(average) > width), most)


@pytest.mark.parametrize(
    ("run_length", "shift", "expected"),
    [
        (run_length_of_cusum, 1.0, 10.4),  # Montgomery, table 9.3: h = 5, k = 0.5
        (run_length_of_cusum, 2.0, 4.01),
        # Lucas & Saccucci, table 3: weight 0.1, L = 2.814, constant limits; ours are narrower for the first days
        (run_length_of_ewma, 1.0, 10.3),
    ],
)
def test_average_run_lengths_after_a_shift(run_length, shift, expected):
    rng = np.random.default_rng(1)
    found = np.mean([run_length(shift, rng, 400) for _ in range(1500)])
    assert expected * 0.72 < found < expected * 1.08


@pytest.mark.parametrize(("run_length", "expected"), [(run_length_of_cusum, 465), (run_length_of_ewma, 500)])
def test_average_run_lengths_in_control(run_length, expected):
    rng = np.random.default_rng(2)
    found = np.mean([run_length(0.0, rng) for _ in range(120)])
    assert expected * 0.75 < found < expected * 1.3  # standard error of 120 geometric runs is 9 %


def test_ewma_by_hand():
    # 0.1 * 2 = 0.2; 0.1 * 0 + 0.9 * 0.2 = 0.18. half width 2.814 * sqrt(0.1 / 1.9 * (1 - 0.9^2)) = 0.2814
    (first, width), (second, _) = ewma([2.0, 0.0], STANDARD)
    assert (first, second) == (pytest.approx(0.2), pytest.approx(0.18))
    assert width == pytest.approx(WIDTH_SIGMA * sqrt(0.1 / 1.9 * 0.19))
    assert width == pytest.approx(0.2814)


def test_cusum_by_hand():
    # sums above 0.5: 1.5, 3.0, 4.5, 6.0 > 5: seen at the fourth of the shifted days, began at the first of them
    found = cusum([0.0, 0.0, 2.0, 2.0, 2.0, 2.0], STANDARD)
    assert found is not None
    assert (found.seen, found.began, found.up) == (5, 2, True)
    down = cusum([0.0, -3.0, -3.0, -3.0], STANDARD)
    assert down is not None
    assert (down.seen, down.began, down.up) == (3, 1, False)


def test_usual_needs_enough_days_and_any_spread():
    assert usual([1.0] * (BASELINE - 1)) is None
    assert usual([1.0] * BASELINE) is None
    known = usual([1.0, 2.0] * (BASELINE // 2))
    assert known == Usual(1.5, pytest.approx(CAUTION * 1 / 1.128), BASELINE)  # every moving range is 1


def shifted(days: int, at: int, by: float, seed: int = 3) -> list[float]:
    values = np.random.default_rng(seed).normal(80, 1, days)
    values[at:] += by
    return values.tolist()


def test_a_known_shift_is_dated():
    charts = [chart(shifted(60, 40, -3.0, seed), []) for seed in range(20)]
    dated = [one for one in charts if one.changes and abs(one.changes[0].began - 40) <= 5]
    assert len(dated) >= 16  # a sum that was not zero when the change came dates it too early
    assert all(40 <= one.changes[0].seen <= 50 and not one.changes[0].up and one.drifts for one in dated)


def test_few_charts_change_of_themselves():
    rng = np.random.default_rng(4)
    found = [bool(chart(rng.normal(0, 1, 20 + 70).tolist(), []).changes) for _ in range(200)]
    assert np.mean(found) < 0.12  # 6 % over many more runs


def test_a_shift_at_a_start_is_none():
    found = chart(shifted(70, 40, -8.0), [40])  # another model judges from day 40
    assert found.changes == ()
    assert not found.drifts
    assert all(low is None for low in (*found.low[:BASELINE], *found.low[40 : 40 + BASELINE]))
    assert found.centre[0] == pytest.approx(80, abs=1)
    assert found.centre[45] == pytest.approx(72, abs=1)


def test_every_start_may_bring_one_change():
    values = shifted(50, 35, 4.0) + shifted(50, 35, 4.0)
    assert [change.began > 50 for change in chart(values, [50]).changes] == [False, True]


@pytest.mark.parametrize("values", [[], [80.0], [80.0] * 40])
def test_too_little_to_say_anything(values):
    found = chart(values, [0, 5, 99])
    assert len(found.low) == len(values)
    assert set(found.low) <= {None}
    assert not found.drifts


@pytest.mark.parametrize(
    ("hits", "number", "low", "high"),
    [
        (0, 20, 0.0, 0.1611),  # published worked examples, Newcombe 1998 and Wilson 1927
        (10, 20, 0.2993, 0.7007),
        (81, 263, 0.2553, 0.3662),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson(hits, number, low, high):
    assert wilson(hits, number) == (pytest.approx(low, abs=2e-4), pytest.approx(high, abs=2e-4))
