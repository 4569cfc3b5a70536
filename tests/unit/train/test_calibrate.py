from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from qagate.score.calibration import Calibration
from qagate.train import calibrate


def answers(
    count: int = 200,
    network_error: float = 0.3,
    assessor_error: float = 0.05,
    practised_error: float | None = None,
    independent: bool = False,
) -> calibrate.Answers:
    """Made-up volumes of ten subjects: quality is uniform, and the judges err by normal amounts.

    Without an error of its own the practised eye is not there: it says what the network says.
    """
    draws = np.random.default_rng(0)
    quality = draws.uniform(0, 1, count)
    errors = [e for e in (network_error, assessor_error, practised_error) if e is not None]
    said = [np.clip(quality + draws.normal(0, e, count), 0, 1) for e in errors]
    judges = [np.stack([value, np.full(count, e)], 1) for value, e in zip(said, errors, strict=True)]
    practised = judges[2] if practised_error is not None else judges[0]
    present = np.zeros((count, 18))
    present[::3, 2] = 0.8
    guessed = draws.uniform(0, 1, (count, 18))
    grades = np.stack([guessed, present * 0.9, guessed], 1)  # the network guesses, the assessor knows
    return calibrate.Answers(
        judges[0], judges[1], practised, np.stack([said[0], said[1], said[1]], 1), grades, present, quality,
        np.array(["CT", "MR"])[np.arange(count) % 2], np.array([f"s{i % 10}" for i in range(count)]),
        np.full(count, independent),
    )  # fmt: skip


def test_who_knows_more_has_the_larger_share() -> None:
    sure = calibrate.calibrate(answers(), Calibration())
    assert min(sure.assessor_share.values()) >= 0.9
    assert sure.grade_share > 0
    unsure = calibrate.calibrate(answers(network_error=0.05, assessor_error=0.3), Calibration())
    assert max(unsure.assessor_share.values()) <= 0.1


def test_both_simulators_have_a_say_in_the_shares() -> None:
    parts = (answers(), answers(network_error=0.05, assessor_error=0.3, independent=True))
    columns = (f.name for f in fields(calibrate.Answers))
    both = calibrate.Answers(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
    found = calibrate.calibrate(both, Calibration()).assessor_share
    assert 0.3 <= found["CT"] <= 0.7
    assert 0.3 <= found["MR"] <= 0.7


def test_who_errs_otherwise_has_a_share_beside_who_knows_as_much() -> None:
    """Errors of 0.1 that have nothing to do with each other: a mean of both errs by 0.07; the network errs by 0.3."""
    found = calibrate.calibrate(answers(assessor_error=0.1, practised_error=0.1), Calibration())
    for modality in ("CT", "MR"):
        shares = (found.assessor_share[modality], found.practised_share[modality])
        assert min(shares) >= 0.2
        assert sum(shares) >= 0.8


def test_nobody_is_silenced_for_next_to_nothing() -> None:
    """All three err by 0.02 where labels span 1: any mean of them is about as good, so each keeps a share."""
    found = calibrate.calibrate(answers(network_error=0.02, assessor_error=0.02, practised_error=0.02), Calibration())
    for modality in ("CT", "MR"):
        shares = (found.assessor_share[modality], found.practised_share[modality])
        assert min(*shares, 1.0 - sum(shares)) == pytest.approx(0.3, abs=0.01)


def test_judges_that_know_more_have_larger_shares_and_each_keeps_a_fifth() -> None:
    """The first errs by 0.3; the other two say the same, so that it does not matter which of them has how much."""
    found = calibrate.shares_of_judges(answers())
    assert found["CT"][0] == found["MR"][0] == 0.2
    assert all(sum(shares) == pytest.approx(1.0) and min(shares) >= 0.2 for shares in found.values())
    best = calibrate.shares_of_judges(answers(network_error=0.05, assessor_error=0.3))
    assert best["CT"][0] == best["MR"][0] == 0.6


def test_intervals_hold_nine_in_ten_of_what_they_were_made_from() -> None:
    heard = answers()
    made = calibrate.calibrate(heard, Calibration())
    value, spread = heard.mixed(made).T
    inside = []
    for v, s, quality, modality in zip(value, spread, heard.quality, heard.modality, strict=True):
        low, high = made.interval(float(made.score(v)), 100 * s, str(modality))
        inside.append(low <= 100 * quality <= high)
    assert 0.85 < np.mean(inside) < 0.97


def test_the_report_has_figures_for_all_judges() -> None:
    heard = answers(practised_error=0.2)
    told = calibrate.report(heard, calibrate.calibrate(heard, Calibration()))
    assert told["srcc_CT_assessor"] > told["srcc_CT_practised"] > told["srcc_CT_network"]
    assert told["srcc"] == pytest.approx(0.98, abs=0.03)
    assert told["rmse"] < 0.1
