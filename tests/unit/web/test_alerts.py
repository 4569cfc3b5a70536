"""Incidents on the pages: told on the worklist until somebody looks after them, and kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qagate.domain.alert import Sign, Step
from qagate.domain.person import Role
from qagate.store import alerts
from tests.unit.web import people
from tests.unit.web.conftest import make_site
from tests.web.seeds import Seed

BURST = Sign("burst:CT2", "CT2", "CT2: many of its last 20 series are flagged")


def happen(site, what: str, sign: Sign = BURST) -> None:
    with site.database.begin() as session:
        alerts.apply(session, [Step(what, sign)], datetime.now(UTC))


@pytest.fixture
def site(tmp_path):
    yield from make_site(tmp_path, Seed("one"))


def test_an_incident_from_its_beginning_to_its_end(site):
    assert "Nothing is wrong" in site.page("/alerts")
    assert "alerts.urls in the settings is empty" in site.page("/alerts")
    tag = site.client.get("/rows").headers["etag"]
    happen(site, "opened")
    rows = site.client.get("/rows", headers={"if-none-match": tag})
    assert rows.status_code == 200
    assert 'href="/alerts#alert-1"' in rows.text
    page = site.page("/alerts")
    assert BURST.words in page
    assert "/?scanner=CT2&amp;verdict=flagged&amp;date=week" in page
    assert "I look after it" in page

    assert site.client.post("/api/v1/alerts/1/acknowledge").json()["acknowledged_at"]
    assert "/alerts#alert-1" not in site.client.get("/rows", headers={"if-none-match": tag}).text
    assert "I look after it" not in site.page("/alerts")
    happen(site, "closed")
    page = site.page("/alerts")
    assert "Nothing is wrong" in page
    assert BURST.words in page  # among those that are over
    assert site.client.post("/api/v1/alerts/99/acknowledge").status_code == 404


@pytest.mark.parametrize(("role", "may"), [(Role.REVIEWER, False), (Role.PHYSICIST, True)])
def test_who_may_look_after_it(tmp_path, role, may):
    for site in make_site(tmp_path, anonymous_role=None):
        people.add(site.database, "somebody", role)
        people.log_in(site.client, "somebody")
        happen(site, "opened")
        assert ("I look after it" in site.page("/alerts")) is may
