from __future__ import annotations

import pytest
from sqlalchemy import update

from qagate.domain.person import Person, Role
from qagate.store import audit, holding, worklist
from qagate.store.tables import HoldingRow
from qagate.web import access

from .conftest import configured, make_site, uid_of


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
    assert answer.json() == {"series_instance_uid": held, "holding": "released", "changed": True, "review": "open"}
    found = site.json(f"/api/v1/series/{held}")
    assert found["held_until"] is None
    assert next(e["detail"] for e in found["events"] if e["what"] == "released").endswith("clinic asks")
    assert site.client.post(f"/api/v1/series/{held}/release", json={}).json()["changed"] is False


def decided(site, uid):
    """Every decision on a series, as the API tells it."""
    said = site.json(f"/api/v1/series/{uid}/decisions")["decisions"]
    return [(one["kind"], one["person"], one["reason"], one["note"]) for one in said]


def trail(site, uid):
    with site.database.read() as session:
        return [(act.who, act.what) for act in audit.listing(session, audit.Search(series_instance_uid=uid))]


def test_who_rejected_and_who_released_is_in_the_record_of_decisions(site, held):
    """Images were kept back and let go beside the record: neither was a decision of anybody."""
    site.client.post(f"/api/v1/series/{held}/reject", json={"code": "motion_blur", "reason": "moved"})
    site.client.post(f"/api/v1/series/{held}/release", json={"reason": "clinic asks"})
    assert decided(site, held) == [
        ("reject", "anonymous", "motion_blur", "moved"), ("release", "anonymous", "", "clinic asks"),
    ]  # fmt: skip
    assert {what for _, what in trail(site, held)} == {
        "decided_reject", "series_rejected", "decided_release", "series_released",
    }  # fmt: skip


def test_two_people_are_needed_here_too(site, held, monkeypatch):
    configured(site, two_person_rejection=True)
    address, said = f"/api/v1/series/{held}/reject", {"code": "artifact"}
    for person, state, review in (("anna", "held", "proposed"),) * 2 + (("bert", "rejected", "rejected"),):
        caller = access.Caller(Person(person, Role.REVIEWER), "anonymous")
        monkeypatch.setattr(access, "_anonymous", lambda request, caller=caller: caller)
        answer = site.client.post(address, json=said).json()
        assert (answer["holding"], answer["changed"], answer["review"]) == (state, state == "rejected", review)
    assert site.client.post(f"/api/v1/series/{held}/release", json={"reason": "wrong one"}).json()["review"] == "open"
    assert [(kind, who) for kind, who, _, _ in decided(site, held)] == [
        ("reject", "anna"), ("reject", "anna"), ("reject", "bert"), ("release", "bert"),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"reason": "moved"}])
def test_a_rejection_says_why(site, held, body):
    answer = site.client.post(f"/api/v1/series/{held}/reject", json=body)
    assert (answer.status_code, "needs a reason" in answer.json()["detail"]) == (422, True)
    assert site.json(f"/api/v1/series/{held}")["holding"] == "held"


def test_a_rejection_names_a_reason_of_the_list(site, held):
    address = f"/api/v1/series/{held}/reject"
    assert site.client.post(address, json={"code": "ugly"}).status_code == 422
    answer = site.client.post(address, json={"code": "motion_blur", "reason": "moved"})
    assert answer.json() == {"series_instance_uid": held, "holding": "rejected", "changed": True, "review": "rejected"}
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
