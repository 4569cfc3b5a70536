from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qagate.domain.budget import Forecast, Tally, forecast, propose
from qagate.domain.limit import SiteLimit, covering

ABDOMEN = Tally("CT", "Abdomen", 50.0, {30: 4, 45: 6, 70: 40, 90: 50}, {45: 1, 90: 2}, {30: 3, 70: 1}, {45: 4, 90: 5})


def test_forecast():
    # below 50: 4 + 6, and 2 at 90 for other reasons (the one at 45 is counted already)
    assert forecast(ABDOMEN, 50) == Forecast(flagged=12, caught=3, false=4, missed=1)
    assert forecast(ABDOMEN, 71) == Forecast(flagged=52, caught=4, false=4, missed=0)
    assert forecast(ABDOMEN, 0) == Forecast(flagged=3, caught=0, false=0, missed=4)


def test_a_budget_is_shared_by_share():
    few = Tally("MR", "Knee", 50.0, {40: 10, 80: 90})
    many = Tally("CT", "Head", 50.0, {40: 100, 80: 900})
    limits = propose([few, many], flags=110)  # a tenth of each
    assert limits == {("MR", "Knee"): 80, ("CT", "Head"): 80}
    assert propose([few, many], flags=109) == {("MR", "Knee"): 40, ("CT", "Head"): 40}  # whole scores: all or none


def test_too_few_series_keep_their_limit_and_count():
    rare = Tally("CT", "Rare", 50.0, {10: 5, 90: 5})
    assert propose([rare, ABDOMEN], flags=12) == {("CT", "Abdomen"): 45}  # 5 + 4 below 45 + 3 otherwise = 12
    assert propose([rare, ABDOMEN], flags=11) == {("CT", "Abdomen"): 30}


scores = st.dictionaries(st.integers(0, 100), st.integers(1, 50), min_size=1, max_size=8)


@given(st.lists(scores, min_size=1, max_size=4), st.integers(0, 400))
def test_a_proposal_never_flags_more_than_the_budget(made, flags):
    tallies = [Tally("CT", str(i), 0.0, scored) for i, scored in enumerate(made)]
    limits = propose(tallies, flags=flags)
    assert sum(forecast(t, limits.get((t.modality, t.protocol), 0)).flagged for t in tallies) <= flags


def test_a_site_limit_covers_its_protocol_alone():
    limit = SiteLimit(3, "CT", "Abdomen venous", 61)
    assert covering([limit], "ct", " abdomen VENOUS ") is limit
    assert covering([limit], "MR", "Abdomen venous") is None
    assert covering([limit], "CT", "Abdomen") is None
    assert covering([SiteLimit(1, "CT", "", 61)], "CT", "") is None  # without a protocol the settings decide
