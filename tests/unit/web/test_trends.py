from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qagate.clock import SystemClock
from tests.unit.web.conftest import make_site
from tests.web.seeds import Seed
from tests.web.trend_seeds import DAYS, seed_points

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Noon(SystemClock):
    """A clock that stands still: which series make a day must not depend on when the test runs."""

    def now(self) -> datetime:
        return NOON


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A site with 2000 judged series."""
    for site in make_site(tmp_path_factory.mktemp("trends"), clock=Noon()):
        seed_points(site.database, 2000, NOON)
        yield site


def test_overview_tells_the_drifting_scanner(filled):
    rows = filled.json("/api/v1/trends")["rows"]
    assert len(rows) == 8
    changed = {(r["scanner"], r["protocol"]): r["changes"] for r in rows if r["changes"]}
    assert len(changed) <= 3  # of sixteen charts, some change of themselves
    change = changed["CT2", "Abdomen venous"][-1]
    assert change["direction"] == "down"
    assert 14 <= (NOON.date() - datetime.fromisoformat(change["date"]).date()).days <= 18  # 16 by seed
    assert "Changed down since" in filled.page("/trends")


def test_a_new_model_is_marked_and_is_no_drift(filled):
    one = filled.json("/api/v1/trend?scanner=MR1&protocol=Brain+T2")
    assert [j["name"] for j in one["judged_by"]] == ["qagate-iqa 0.2.0 beef0000 · default"]
    assert one["score"]["changes"] == []
    assert "qagate-iqa 0.2.0" in filled.page("/trends?scanner=MR1&protocol=Brain+T2")


def test_rates_of_few_series_are_not_shown(filled):
    rates = filled.json("/api/v1/trend?scanner=MR1&protocol=Brain+T2&days=90")["flagged"]
    assert any(r["rate"] is not None for r in rates) or all(r["number"] < 20 for r in rates)
    assert all(r["rate"] is None and r["hits"] is None for r in rates if r["number"] < 20)


def test_days_are_those_of_the_machines_own_zone(tmp_path, zone):
    """What is scanned at eight in the evening in New York belongs to that day, as in the list behind its point."""
    zone("America/New_York")
    for site in make_site(tmp_path, clock=Noon()):
        evening = datetime(2026, 11, 21, 1, tzinfo=UTC)  # 20 November, 20:00
        seed_points(site.database, 1, evening + timedelta(days=DAYS))
        curve = site.json("/api/v1/trend?scanner=CT1&protocol=Abdomen+venous")
        (day,) = {datetime.fromtimestamp(at, UTC).date().isoformat() for at in curve["seconds_to_verdict"]["days"]}
        assert day == "2026-11-20"
        assert {d for m in curve["measures"] for d in m["days"]} == set(curve["seconds_to_verdict"]["days"])
        assert site.json(f"/api/v1/series?date={day}&scanner=CT1")["total"] == 1


def test_the_list_behind_a_trend_that_has_a_description_alone(tmp_path):
    """Trends go by the name of the protocol, else by the description; a click leads to the same series, if anywhere."""
    named = Seed("named", protocol="Abd", description="Axial")
    described = Seed("described", protocol="", description="Axial", minutes=6)
    bare = Seed("bare", protocol="", description="", minutes=7)
    for site in make_site(tmp_path, named, described, bare):
        assert [row["protocol"] for row in site.json("/api/v1/trends")["rows"]] == ["", "Abd", "Axial"]
        for protocol, one in (("Axial", described), ("Abd", named)):
            found = site.json(f"/api/v1/series?scanner=CT2&protocol={protocol}")["series"]
            assert [s["series_instance_uid"] for s in found] == [one.uid]
        page = site.page("/trends?days=7")
        assert page.count('href="/trends?scanner=CT2&amp;protocol=') == 2
        assert "protocol=&amp;" not in page
        assert "<option selected>7</option>" in page


def test_notes_start_limits_anew(filled):
    address = "/api/v1/trend?scanner=CT2&protocol=Abdomen+venous"
    change = filled.json(address)["score"]["changes"][-1]
    note = {"scanner": "CT2", "day": change["date"], "words": "tube replaced", "restarts": True}
    answer = filled.client.post("/api/v1/annotations", json=note)
    assert answer.status_code == 201
    found = filled.json(address)
    assert [one["date"] for one in found["score"]["changes"]] == []
    assert [one["words"] for one in found["notes"]] == ["tube replaced"]
    assert filled.client.delete(f"/api/v1/annotations/{answer.json()['id']}").status_code == 204
    assert filled.json(address)["score"]["changes"] != []
    assert filled.client.delete("/api/v1/annotations/99").status_code == 404


def test_a_verdict_writes_a_point_and_marks_what_it_repeats(tmp_path):
    first = Seed("first", "review", 40.0, minutes=20)
    again = Seed("again", "accept", 80.0, minutes=2)  # same description, same examination
    other = Seed("other", "accept", 80.0, minutes=1, description="Abd arterial 3mm")
    for site in make_site(tmp_path, first, again, other):
        one = site.json("/api/v1/trend?scanner=CT2&protocol=Abdomen+venous")
        assert one["number"] == 3
        assert {m["name"] for m in one["measures"]} >= {"physics:mtf50", "attribute:motion"}
        row = site.json("/api/v1/trends")["rows"][0]
        assert row["repeated"]["number"] == 3
        from qagate.store.tables import PointRow

        with site.database.read() as session:
            assert session.get_one(PointRow, first.uid).repeated
            assert not session.get_one(PointRow, again.uid).repeated
            assert session.get_one(PointRow, again.uid).seconds_to_verdict == pytest.approx(11, abs=0.1)


def test_who_may_only_read_notes_nothing(tmp_path):
    for site in make_site(tmp_path, Seed("one"), anonymous_role="reviewer"):
        note = {"scanner": "CT2", "day": "2026-11-22", "words": "tube replaced"}
        assert site.client.post("/api/v1/annotations", json=note).status_code == 403
        assert 'id="note"' not in site.page("/trends?scanner=CT2&protocol=Abdomen+venous")


def test_empty(tmp_path):
    for site in make_site(tmp_path):
        assert "No judged series" in site.page("/trends")
        assert "No judged series" in site.page("/trends?scanner=a&protocol=b")
