from __future__ import annotations

import csv
import io

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from qagate.domain.person import Role
from qagate.store import audit, people, tokens
from qagate.store.tables import SeriesRow
from qagate.web import api
from qagate.web.description import described
from tests.unit.web.conftest import HOSTILE, SEEDS, make_site, uid_of
from tests.unit.web.people import add, token_of
from tests.web.seeds import Seed, seed


def test_list(site):
    found = site.json("/api/v1/series?verdict=flagged&limit=1")
    assert (found["total"], found["limit"], found["offset"], len(found["series"])) == (2, 1, 0, 1)
    assert found["series"][0]["word"] == "Look"
    assert site.json("/api/v1/series?state=excluded")["total"] == 1
    assert site.json("/api/v1/series?ae_title=MR1")["total"] == 1
    assert site.json("/api/v1/series?since=2999-01-01T00:00:00Z")["total"] == 0
    assert site.json("/api/v1/series?until=2999-01-01T00:00:00")["total"] == 6
    assert site.json("/api/v1/series?since=0001-01-01T00:00:00&until=9999-12-31T23:59:59")["total"] == 6


def test_one_series_agrees_with_the_list(site):
    one = site.json(f"/api/v1/series/{uid_of('look')}")
    listed = site.json(f"/api/v1/series?text={uid_of('look')}")["series"][0]
    assert {name: one[name] for name in listed} == listed
    assert one["revisions"][0]["assessments"][0]["schema"] == "qagate.assessment/1"
    assert {d["kind"] for d in one["revisions"][0]["documents"]} == {"SR", "SC", "KO"}
    assert [e["what"] for e in one["events"]] == ["complete", "verdict"]


def test_account_balances(site):
    found = site.json("/api/v1/account")
    assert found["received"] == 6
    assert sum(number for name, number in found.items() if name != "received") == 6
    assert (found["flagged"], found["pending"], found["excluded"], found["unaccounted"]) == (2, 1, 1, 0)


def test_csv(site):
    answer = site.client.get("/api/v1/series.csv?verdict=flagged")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["word"] for row in rows] == ["Look", "Bad"]
    assert rows[0]["score"] == "41.4"
    assert rows[1]["series_description"] == HOSTILE


def test_what_arrives_during_an_export_moves_nothing(tmp_path, monkeypatch):
    """Three series of one minute and two others, in pages of two; after each page another one arrives."""
    monkeypatch.setattr(api, "EXPORT_PAGE", 2)
    before = [Seed(f"before{i}", minutes=30 + i) for i in range(5)]
    for site in make_site(tmp_path, *before):
        with site.database.begin() as session:
            same = session.get(SeriesRow, before[1].uid).last_instance_at
            for one in before[1:4]:
                session.get(SeriesRow, one.uid).last_instance_at = same
        listing, late = api.lists.listing, iter([Seed(f"late{i}", minutes=1) for i in range(9)])

        def busy(session, wanted, site=site, late=late, listing=listing, **more):
            found = listing(session, wanted, **more)
            seed(site.database, site.settings, next(late))
            return found

        monkeypatch.setattr(api.lists, "listing", busy)
        lines = list(csv.DictReader(io.StringIO(site.client.get("/api/v1/series.csv").text)))
        assert sorted(one["series_instance_uid"] for one in lines) == sorted(one.uid for one in before)


def test_metrics_hold_no_patient_data(site):
    text = site.client.get("/metrics").text
    assert 'qagate_series{where="flagged"} 2.0' in text
    assert "qagate_verdicts_last_hour" in text
    assert "ACC0004711" not in text
    assert uid_of("look") not in text


def test_openapi_names_every_api_route(site):
    paths = site.json("/openapi.json")["paths"]
    assert {"/api/v1/series", "/api/v1/series/{uid}", "/api/v1/series.csv", "/api/v1/account"} <= set(paths)
    operations = [one for path, methods in paths.items() if path != "/healthz" for one in methods.values()]
    assert all("503" in operation["responses"] for operation in operations)


@schemathesis.serializer("multipart/related")
def _as_it_is(ctx, value):
    """Any bytes at all are sent as a body of several parts."""
    return bytes(getattr(value, "data", value))


ASKERS = (*Role, "nobody")


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A site where only tokens come in."""
    yield from make_site(tmp_path_factory.mktemp("fuzzed"), *SEEDS, anonymous_role=None)


@pytest.fixture(scope="module")
def schema(closed):
    """The description, read once: an admin who asks at random may revoke the token that it is read with."""
    add(closed.database, "keeper", Role.ADMIN)
    reading = {"authorization": f"Bearer {token_of(closed.database, 'keeper')}"}
    return schemathesis.openapi.from_asgi("/openapi.json", closed.client.app, headers=reading)


@pytest.mark.parametrize("asker", ASKERS)
def test_random_questions_get_documented_answers(closed, schema, asker):
    """Each operation is asked at random, by a program of each role and by one that nobody knows."""
    headers = {"authorization": f"Bearer {asker}"}
    if asker != "nobody":
        add(closed.database, asker, asker)
        headers["authorization"] = f"Bearer {token_of(closed.database, asker)}"
    with closed.database.begin() as session:
        before = _changes(session)
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=HealthCheck)
        @given(case=operation.as_strategy())
        def ask(case):
            case.call_and_validate(checks=checks, headers=headers)

        ask()
        asked.add(operation.path)
    assert len(asked) == len(described(closed.client.app)["paths"])
    if asker in (Role.VIEWER, "nobody"):
        with closed.database.begin() as session:
            assert _changes(session) == before


def _changes(session):
    """Return what the tables hold that people change; a look at a series or a refusal is no change."""
    seen = ("series_viewed", "volume_fetched", "list_exported", "refused", "token_refused")
    acts = [row for row in audit.listing(session, audit.Search(), limit=10_000) if row.what not in seen]
    return (
        [(row.who, row.what, row.detail) for row in acts],
        len(people.everybody(session)),
        len(tokens.listing(session)),
    )
