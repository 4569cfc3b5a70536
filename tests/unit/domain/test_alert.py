from __future__ import annotations

from datetime import datetime

import pytest

from qagate.domain.alert import Sign, burst, disk, is_quiet, parked, steps

ONE = Sign("burst:CT1", "CT1", "CT1: many")
NODE = Sign("disk", "", "full")


def test_one_incident_is_opened_updated_and_closed_once():
    assert [(s.what, s.sign.key) for s in steps({}, [ONE, NODE])] == [("opened", "burst:CT1"), ("opened", "disk")]
    assert steps({ONE.key: ONE}, [ONE]) == ()
    again = Sign(ONE.key, "CT1", "CT1: more")
    assert [(s.what, s.sign.words) for s in steps({ONE.key: ONE}, [again])] == [("updated", "CT1: more")]
    assert [s.what for s in steps({ONE.key: ONE}, [])] == ["closed"]


def test_only_the_scanners_that_are_asked_for_and_always_the_node():
    assert [s.sign.key for s in steps({}, [ONE, NODE], scanners=("CT2",))] == ["disk"]


def test_signs():
    assert [s.key for s in parked({"PACS": 2, "VNA": 0}, ["PACS"])] == ["parked:PACS"]
    assert "qagate requeue" in parked({"PACS": 2}, ["PACS"])[0].words
    assert "qagate give-up OLD" in parked({"OLD": 2}, ["PACS"])[0].words
    assert disk(3000, 1024, 3) != ()  # 3 * 1024 = 3072 should be free
    assert disk(3072, 1024, 3) == ()
    assert "are refused" in disk(1000, 1024, 3)[0].words
    mixed = ["review"] * 10 + ["accept"] * 10
    assert [s.key for s in burst({"CT1": mixed}, 20, 0.5)] == ["burst:CT1"]
    assert burst({"CT1": mixed[1:]}, 20, 0.5) == ()  # nineteen series say nothing yet
    assert [s.key for s in burst({"MR1": ["unscored"] * 20}, 20, 0.5)] == ["unscored:MR1"]


@pytest.mark.parametrize(
    ("at", "begin", "end", "quiet"),
    [
        ("23:00", "22:00", "06:00", True), ("05:59", "22:00", "06:00", True), ("06:00", "22:00", "06:00", False),
        ("12:00", "11:00", "13:00", True), ("13:00", "11:00", "13:00", False), ("12:00", None, None, False),
    ],
)  # fmt: skip
def test_quiet_hours(at, begin, end, quiet):
    assert is_quiet(datetime.fromisoformat(f"2026-11-22T{at}:00+00:00"), begin, end) is quiet
