"""People, tokens and the audit trail, by pages and over the API; and what an archive is told."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest

from qagate.domain.person import Role
from qagate.domain.store_permission import Known, permitted
from qagate.store.tables import SeriesRow
from tests.unit.web import people
from tests.unit.web.conftest import SEEDS, Site, make_site, uid_of

PAGE = {"accept": "text/html"}


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Site]:
    """A site where ada, an admin, is logged in."""
    for site in make_site(tmp_path_factory.mktemp("office"), *SEEDS, anonymous_role=None):
        people.add(site.database, "ada", Role.ADMIN)
        people.log_in(site.client, "ada")
        yield site


def send(site: Site, address: str, code: int = 200, **fields: str) -> str:
    """Send a form of ada's."""
    token = people.form_token(site.page("/me"))
    answer = site.client.post(address, data={"form_token": token, **fields}, headers=PAGE)
    assert answer.status_code == code, answer.text[:500]
    return answer.text


def test_a_person_by_forms(office):
    page = send(office, "/people", 201, name="Bob", role="reviewer")
    assert re.search(r'class="secret">[\w-]{43}<', page)
    assert "already" in send(office, "/people", 409, name="bob", role="viewer")
    send(office, "/people/bob/role", role="physicist")
    send(office, "/people/bob/disable")
    assert "disabled" in office.page("/people")
    assert "enable them first" in send(office, "/people/bob/invite", 409).replace("&#39;", "'")
    send(office, "/people/bob/enable")
    assert "another admin first" in send(office, "/people/ada/disable", 409)
    assert "nobody of this name" in send(office, "/people/nobody/disable", 409)
    send(office, "/people/bob/crown", 422)
    acts = office.json("/api/v1/audit?who=ada")["acts"]
    assert [act["what"] for act in acts if "bob" in act["detail"]] == [
        "person_enabled", "person_disabled", "role_changed", "person_invited", "person_added",
    ]  # fmt: skip


def test_a_person_over_the_api(office):
    made = office.client.post("/api/v1/people", json={"name": "carl", "role": "viewer"})
    assert made.status_code == 201
    assert len(made.json()["token"]) == 43
    assert made.headers["cache-control"] == "no-store"
    assert office.client.post("/api/v1/people", json={"name": "carl"}).status_code == 409
    changed = office.client.patch("/api/v1/people/carl", json={"role": "reviewer", "disabled": True}).json()
    assert (changed["role"], changed["disabled_at"] is None) == ("reviewer", False)
    assert office.client.patch("/api/v1/people/nobody", json={"role": "admin"}).status_code == 404
    assert "carl" in {one["name"] for one in office.json("/api/v1/people")}
    assert "hash" not in str(office.json("/api/v1/people"))


def test_a_token_by_form_and_over_the_api(office):
    page = send(office, "/tokens", 201, person="ada", name="lab", scopes="read", days="30")
    secret = re.search(r'class="secret">(qg_[\w-]{43})<', page)
    assert secret
    assert secret.group(1) not in office.page("/tokens")
    assert "another name" in send(office, "/tokens", 409, person="ada", name="lab", scopes="read")
    made = office.client.post("/api/v1/tokens", json={"person": "ada", "name": "api", "scopes": ["read", "decide"]})
    token = made.json()["token"]
    listed = {one["name"]: one for one in office.json("/api/v1/tokens")}
    assert listed["api"]["scopes"] == ["decide", "read"]
    assert token not in str(listed)
    assert office.client.delete(f"/api/v1/tokens/{listed['api']['number']}").status_code == 204
    refused = office.client.get("/api/v1/me", headers={"authorization": f"Bearer {token}"})
    assert refused.status_code == 401
    send(office, f"/tokens/{listed['lab']['number']}/revoke")
    assert office.client.post("/api/v1/tokens", json={"person": "ada", "name": "x", "scopes": []}).status_code == 409


def test_a_refused_form_keeps_what_was_typed(office):
    people.add(office.database, "dora", Role.VIEWER)
    page = send(office, "/people", 409, name="dora", role="physicist")
    assert 'name="name" value="dora"' in page
    assert "<option selected>physicist</option>" in page
    page = send(office, "/tokens", 409, person="dora", name="PACS archive", days="30", scopes="decide")
    assert 'name="name" value="PACS archive"' in page
    assert "<option selected>dora</option>" in page
    assert 'name="days" value="30"' in page
    assert re.findall(r'value="(\w+)" checked', page) == ["decide"]


def test_a_form_without_a_tick_grants_nothing(office):
    """A browser sends nothing of boxes without one: it was taken for the right to read."""
    people.add(office.database, "emil", Role.VIEWER)
    assert "at least one scope" in send(office, "/tokens", 409, person="emil", name="lab")
    assert 'value="read" checked' in office.page("/tokens")


def test_the_trail_is_filtered_and_exported(office):
    office.page(f"/series/{uid_of('look')}")
    found = office.json(f"/api/v1/audit?series={uid_of('look')}&who=ada&what=series_viewed&date=today")
    assert [act["series_instance_uid"] for act in found["acts"]] == [uid_of("look")] * found["total"]
    assert found["total"] >= 1
    assert uid_of("look") in office.page(f"/audit?series={uid_of('look')}")
    assert office.json("/api/v1/audit?who=nobody") == {"total": 0, "acts": [], "before": None}
    rows = list(csv.DictReader(io.StringIO(office.client.get("/api/v1/audit.csv?who=ada").text)))
    assert {row["who"] for row in rows} == {"ada"}
    assert rows[0]["what"] == "audit_read"
    assert rows[0]["address"] == "testclient"
    assert "Nothing matches" in office.page("/audit?who=nobody")


def test_the_trail_in_parts(office, monkeypatch):
    monkeypatch.setattr("qagate.web.audit.PAGE", 2)
    first = office.json("/api/v1/audit")
    second = office.json(f"/api/v1/audit?before={first['before']}")
    numbers = [act["number"] for act in (*first["acts"], *second["acts"])]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
    assert "Older" in office.page("/audit")


def known(holding: str = "", word: str = "") -> Known:
    return Known("1.2", holding, word)


@pytest.mark.parametrize(
    ("series", "unknown_may_store", "answer", "may_store"),
    [
        ((), True, "unknown", True),
        ((), False, "unknown", False),
        ((known(),), False, "allowed", True),  # known, nothing holds it
        ((known("released", "Look"),), False, "allowed", True),
        ((known("held"),), True, "held", False),
        ((known("", "Good"), known("held")), True, "held", False),  # one keeps its study waiting
        ((known("rejected"),), True, "held", False),
    ],
)
def test_what_an_archive_is_told(series, unknown_may_store, answer, may_store):
    said = permitted(series, unknown_may_store=unknown_may_store)
    assert (said.answer, said.may_store) == (answer, may_store)
    assert said.reason


def test_an_archive_asks(office):
    ask = "/api/v1/store-permission"
    assert office.json(f"{ask}?series_instance_uid={uid_of('look')}")["answer"] == "allowed"
    assert office.json(f"{ask}?series_instance_uid=1.2.3") == {
        "answer": "unknown", "may_store": True, "reason": "qagate has not received it",
    }  # fmt: skip
    with office.database.begin() as session:
        row = session.get_one(SeriesRow, uid_of("open"))
        row.holding = "held"
        study = row.study_instance_uid
    assert office.json(f"{ask}?study_instance_uid={study}")["answer"] == "held"
    for wrong in ("", "?series_instance_uid=1&study_instance_uid=2"):
        assert office.json(ask + wrong, 400)["status"] == 400
