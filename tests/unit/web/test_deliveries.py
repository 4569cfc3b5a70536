"""What did not arrive, on its page and in the API, and who may try it again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from qagate.domain.obstacle import Obstacle
from qagate.domain.person import Role
from qagate.settings.delivering import Destination
from qagate.store import outbox, undelivered
from qagate.store.tables import AuditRow, DeliveryRow
from tests.unit.web import people
from tests.unit.web.conftest import Site, make_site
from tests.web.seeds import Seed

ONE = Seed("one", "review", 41.0)  # SR, SC and KO for PACS
WHY = "0122 SOP Class Not Supported"


VAULT = Destination(name="VAULT", kind="stow", url="https://vault.local/dicom-web")


def sending_to(site: Site, *destinations: Destination) -> None:
    """Change where a running site sends to."""
    site.client.app.state.settings = site.settings.model_copy(update={"destinations": destinations})


def refuse(site: Site) -> None:
    with site.database.begin() as session:
        for number in session.scalars(select(DeliveryRow.id)).all():
            outbox.failed(
                session, [number], detail=WHY, obstacle=Obstacle.REFUSED, max_attempts=9, at=datetime.now(UTC)
            )


@pytest.fixture
def site(tmp_path):
    for made in make_site(tmp_path, ONE):
        sending_to(made, *made.settings.destinations, VAULT)
        yield made


def test_what_is_parked_is_said_with_its_reason_and_tried_again(site):
    page = site.page("/deliveries")
    assert "ARCHIVE at pacs.local:104" in page
    assert "https://vault.local/dicom-web" in page
    refuse(site)
    page = site.page("/deliveries")
    assert page.count(WHY) == 3
    assert f'href="/series/{ONE.uid}"' in page
    assert 'data-again="PACS"' in page
    assert 'data-again="VAULT"' not in page  # nothing waits for it
    said = site.json("/api/v1/deliveries?destination=PACS")
    assert said["destinations"][0] == {
        "name": "PACS", "address": "ARCHIVE at pacs.local:104", "known": True, "waiting": 0, "held": 0, "parked": 3,
    }  # fmt: skip
    assert {one["what"] for one in said["undelivered"]} == {"SR", "SC", "KO"}

    assert site.client.post("/api/v1/deliveries/PACS/again").json() == {"tried_again": 3}
    assert "parked" not in {one["state"] for one in site.json("/api/v1/deliveries")["undelivered"]}
    with site.database.read() as session:
        act = session.scalars(select(AuditRow).where(AuditRow.what == "deliveries_tried_again")).one()
        assert act.detail == "3 parked, PACS"


def test_a_destination_is_chosen_by_its_name_and_one_that_is_not_there_is_said_so(site):
    page = site.page("/deliveries")
    assert 'href="/deliveries?destination=PACS"' in page
    assert "destination=VAULT" not in page  # nothing waits for it
    assert "Everything has arrived" in site.page("/deliveries?destination=VAULT")
    page = site.page("/deliveries?destination=PACX")
    assert "There is no destination of this name" in page
    assert "Everything has arrived" not in page


def test_a_destination_that_is_gone_is_said_to_be(site):
    sending_to(site)
    page = site.page("/deliveries")
    assert "not in the settings any more" in page
    assert "data-again" not in page
    assert site.client.post("/api/v1/deliveries/PACS/again").status_code == 404
    with site.database.read() as session:
        assert undelivered.counts(session) == {"PACS": {"planned": 3}}


def test_everything_has_arrived(tmp_path):
    for site in make_site(tmp_path):
        assert "Everything has arrived" in site.page("/deliveries")
        sending_to(site)
        assert "There is no destination" in site.page("/deliveries")


@pytest.mark.parametrize(("role", "may"), [(Role.PHYSICIST, False), (Role.ADMIN, True)])
def test_who_may_try_again(tmp_path, role, may):
    for site in make_site(tmp_path, ONE, anonymous_role=None):
        people.add(site.database, "somebody", role)
        people.log_in(site.client, "somebody")
        refuse(site)
        page = site.page("/deliveries")
        assert ("data-again" in page) is may
        assert ("an administrator can try again" in page) is not may
        said = site.client.post("/api/v1/deliveries/PACS/again", json={})
        assert said.status_code == (200 if may else 403), said.text


def test_what_is_parked_is_given_up_by_an_administrator_with_a_reason(tmp_path):
    for site in make_site(tmp_path, ONE, anonymous_role=None):
        people.add(site.database, "physicist", Role.PHYSICIST)
        people.add(site.database, "admin", Role.ADMIN)
        refuse(site)
        where = "/api/v1/deliveries/PACS/give-up"
        people.log_in(site.client, "physicist")
        assert "data-give-up" not in site.page("/deliveries")
        assert site.client.post(where, json={"reason": "sold"}).status_code == 403
        people.log_in(site.client, "admin")
        assert 'data-give-up="PACS"' in site.page("/deliveries")
        for reason in ({}, {"reason": ""}, {"reason": "  "}):
            assert site.client.post(where, json=reason).status_code == 422
        assert site.client.post(where, json={"reason": "sold"}).json() == {"series": 1, "documents": 3, "images": 0}
        assert site.client.post(where, json={"reason": "sold"}).status_code == 404
        with site.database.read() as session:
            act = session.scalars(select(AuditRow).where(AuditRow.what == "deliveries_given_up")).one()
            assert (act.who, act.detail) == ("admin", "3 documents and 0 images of 1 series to PACS: sold")
            assert undelivered.counts(session) == {}
