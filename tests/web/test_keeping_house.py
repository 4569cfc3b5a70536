"""What an administrator does when something is wrong: says who looks after it, and has it sent again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from qagate.domain.alert import parked, steps
from qagate.domain.obstacle import Obstacle
from qagate.domain.person import Role
from qagate.store import alerts, audit, outbox, undelivered
from qagate.store.tables import DeliveryRow
from tests.unit.web import people
from tests.web.seeds import Seed

pytestmark = pytest.mark.peers


def refuse(served, now):
    """Have PACS refuse everything for good."""
    with served.database.begin() as session:
        for number in session.scalars(select(DeliveryRow.id)).all():
            outbox.failed(
                session, [number], detail="0122 not supported", obstacle=Obstacle.REFUSED, max_attempts=9, at=now
            )


def log_in(served, page):
    """Come in as ada."""
    page.goto(f"{served.url}/login")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(people.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/")


@pytest.mark.parametrize("served", [None], indirect=True)
def test_from_the_alert_to_a_delivery_that_is_tried_again(served, page):
    """Somebody who logged in by the page presses the buttons: what they send is no form of another site."""
    served.add(Seed("look", "review", 41.0))
    people.add(served.database, "ada", Role.ADMIN)
    now = datetime.now(UTC)
    refuse(served, now)
    with served.database.begin() as session:
        alerts.apply(session, list(steps({}, parked({"PACS": 3}, ["PACS"]))), now)

    log_in(served, page)
    page.get_by_role("link", name="Alerts").click()
    page.wait_for_url(f"{served.url}/alerts")  # loaded with the script that makes the button do something
    page.get_by_role("button", name="I look after it").click()
    expect(page.locator("#alert-1")).to_contain_text("ada")
    page.locator("#alert-1").get_by_role("link", name="deliveries").click()
    page.wait_for_url(f"{served.url}/deliveries**")
    expect(page.get_by_text("0122 not supported")).to_have_count(3)
    page.get_by_role("button", name="Try again now").click()
    expect(page.locator("td b", has_text="parked")).to_have_count(0)
    with served.database.read() as session:
        assert undelivered.counts(session) == {"PACS": {"planned": 3}}


@pytest.mark.parametrize("served", [None], indirect=True)
def test_what_is_parked_for_good_is_given_up_after_a_question_and_with_a_reason(served, page):
    served.add(Seed("look", "review", 41.0))
    people.add(served.database, "ada", Role.ADMIN)
    refuse(served, datetime.now(UTC))
    log_in(served, page)
    page.goto(f"{served.url}/deliveries")
    page.get_by_role("button", name="Give up …").click()
    expect(page.get_by_role("heading", name="Give up what is parked for PACS")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Give up …").click()
    page.get_by_role("dialog").get_by_role("button", name="Give up").click()  # without a reason it stays open
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("textbox").fill("sold in May")
    page.get_by_role("dialog").get_by_role("button", name="Give up").click()
    expect(page.get_by_text("Everything has arrived")).to_be_visible()
    with served.database.read() as session:
        assert undelivered.counts(session) == {}
        (act,) = audit.listing(session, audit.Search(what="deliveries_given_up"))
        assert (act.who, act.detail) == ("ada", "3 documents and 0 images of 1 series to PACS: sold in May")
