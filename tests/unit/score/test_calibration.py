from __future__ import annotations

import numpy as np
import pytest

from qagate.score.calibration import OUT_OF_DOMAIN, Calibration

MADE = Calibration(
    temperature=1.3,
    knots_from=(0.0, 0.5, 1.0),
    knots_to=(0.0, 80.0, 100.0),
    multiples={"CT": 2.0, "MR": 3.0},
    mean=(1.0, 1.0),
    directions=((1.0, 0.0), (0.0, 2.0)),
    usual=1.0,
    unusual=3.0,
)


def test_the_map_is_straight_between_knots() -> None:
    assert MADE.score([0.25, 0.5, 0.75]).tolist() == [40.0, 80.0, 90.0]


def test_intervals_stay_on_the_scale() -> None:
    assert MADE.interval(95.0, 4.0, "CT") == (87.0, 100.0)  # 95 - 2 x 4
    assert MADE.interval(5.0, 4.0, "MR", widening=2.0) == (0.0, 29.0)  # 5 + 3 x 4 x 2
    assert MADE.interval(50.0, 4.0, None) == (38.0, 62.0)  # the widest of all
    assert MADE.interval(50.0, 0.0, "CT") == (46.0, 54.0)  # never surer than a spread of 2


@pytest.mark.parametrize(
    ("pooled", "distance", "strangeness"),
    [
        ((1.0, 1.0), 0.0, 0.0),
        ((1.0 + np.sqrt(2.0), 1.0), 1.0, 0.0),  # sqrt((2 + 0) / 2) = 1 = usual
        ((1.0, 1.0 + np.sqrt(2.0)), 2.0, 0.25),  # sqrt((0 + 8) / 2) = 2: half way from usual to unusual
        ((1.0, 1.0 + 3 * np.sqrt(2.0)), 6.0, 0.75),  # 1 - 0.5 x 3 / 6
    ],
)
def test_strangeness(pooled: tuple[float, float], distance: float, strangeness: float) -> None:
    assert MADE.distance(np.array(pooled)) == pytest.approx(distance)
    assert MADE.strangeness(np.array(pooled)) == pytest.approx(strangeness)


def test_strangeness_rises_and_crosses_the_limit_at_unusual() -> None:
    found = [MADE.strangeness(np.array([1.0 + step, 1.0])) for step in np.linspace(0, 60, 100)]
    assert found == sorted(found)
    assert MADE.strangeness(np.array([1.0 + 3 * np.sqrt(2.0), 1.0])) == pytest.approx(OUT_OF_DOMAIN)
    assert max(found) < 1.0


def test_plain_and_back() -> None:
    assert Calibration.from_plain(MADE.plain()) == MADE


def test_the_default_is_always_in_domain() -> None:
    assert Calibration().strangeness(np.array([1e6])) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"knots_from": [0.0, 0.6, 0.5, 1.0], "knots_to": [0.0, 20.0, 80.0, 100.0]},  # interp would say anything
        {"knots_from": [0.0, 0.5, 1.0], "knots_to": [0.0, 80.0, 70.0]},
        {"knots_from": [0.0, 1.0], "knots_to": [0.0, 50.0, 100.0]},
        {"knots_from": [], "knots_to": []},
        {"temperature": 0.0},
        {"temperature": float("nan")},
    ],
)
def test_a_sheet_that_makes_no_map_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="rising knots in pairs"):
        Calibration.from_plain(MADE.plain() | wrong)


SHARED = Calibration(assessor_share={"CT": 0.6, "MR": 0.9}, practised_share={"CT": 0.3, "MR": 0.0})


@pytest.mark.parametrize(
    ("modality", "assessor", "practised", "mixed"),
    [
        ("CT", 0.5, 1.0, 0.61),  # .1 x .1 + .6 x .5 + .3 x 1
        ("MR", 0.5, 1.0, 0.46),  # .1 x .1 + .9 x .5
        ("CT", 0.5, None, 0.31 / 0.7),  # who is not there leaves its share to the others
        ("CT", None, 1.0, 0.31 / 0.4),
        ("CT", None, None, 0.1),
    ],
)
def test_judges_have_their_shares(modality: str, assessor: float | None, practised: float | None, mixed: float) -> None:
    assert float(SHARED.mixed(0.1, assessor, practised, modality)) == pytest.approx(mixed)


def test_several_volumes_have_shares_of_their_modality() -> None:
    """Rows are volumes, columns score and spread."""
    network, assessor, practised = (np.full((2, 2), v) for v in (0.1, 0.5, 1.0))
    assert SHARED.mixed(network, assessor, practised, ["CT", "MR"]) == pytest.approx(
        np.array([[0.61, 0.61], [0.46, 0.46]])
    )


def test_a_network_without_a_share_speaks_when_nobody_else_is_there() -> None:
    alone = Calibration(assessor_share={"CT": 1.0, "MR": 1.0})
    assert float(alone.mixed(0.3, None, None, "CT")) == pytest.approx(0.3)
    assert float(alone.mixed(0.3, None, 0.9, "CT")) == pytest.approx(0.3)
