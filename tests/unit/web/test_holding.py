from __future__ import annotations

import pytest
from sqlalchemy import update

from qagate.store import holding, worklist
from qagate.store.tables import HoldingRow

from .conftest import make_site, uid_of


@pytest.fixture
def site(tmp_path):
    from .conftest import SEEDS

    yield from make_site(tmp_path, *SEEDS[:2])


@pytest.fixture
def held(site):
    uid = uid_of("look")
    with site.database.begin() as session:
        row = worklist.series(session, uid)
        holding.hold(session, uid, policy="gate", at=row.last_instance_at, until=row.last_instance_at)
    return uid


def test_a_held_series_is_shown_as_such_and_can_be_released(site, held):
    assert site.json(f"/api/v1/series/{held}")["holding"] == "held"
    assert site.json(f"/api/v1/series/{held}")["held_until"]
    answer = site.client.post(f"/api/v1/series/{held}/release", json={"reason": "clinic asks"})
    assert answer.json() == {"series_instance_uid": held, "holding": "released", "changed": True}
    found = site.json(f"/api/v1/series/{held}")
    assert found["held_until"] is None
    assert "clinic asks" in found["events"][-1]["detail"]
    assert site.client.post(f"/api/v1/series/{held}/release", json={}).json()["changed"] is False


def test_a_rejection_names_a_reason_of_the_list(site, held):
    address = f"/api/v1/series/{held}/reject"
    assert site.client.post(address, json={"code": "ugly"}).status_code == 422
    answer = site.client.post(address, json={"code": "motion_blur", "reason": "moved"})
    assert answer.json() == {"series_instance_uid": held, "holding": "rejected", "changed": True}
    with site.database.read() as session:
        assert holding.get(session, held).rejection_code == "motion_blur"


def test_everything_is_released_at_once(site, held):
    assert site.client.post("/api/v1/release-everything", json={"reason": "fire"}).json() == {"released": 1}
    assert site.client.post("/api/v1/release-everything", json={}).json() == {"released": 0}


@pytest.mark.parametrize("what", ["release", "reject"])
def test_unknown_series_are_said_to_be_unknown(site, what):
    assert site.client.post(f"/api/v1/series/9.9/{what}", json={}).status_code == 404


def test_reasons_have_an_end(site, held):
    too_long = "x" * (holding.MOST_WORDS + 1)
    assert site.client.post(f"/api/v1/series/{held}/release", json={"reason": too_long}).status_code == 422
    with site.database.begin() as session:
        session.execute(update(HoldingRow).values(until=None))  # as another program may have left it
        assert holding.waiting(session)[0].until
