"""What an administrator does when something is wrong: says who looks after it, and has it sent again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from qagate.domain.alert import parked, steps
from qagate.domain.obstacle import Obstacle
from qagate.domain.person import Role
from qagate.store import alerts, outbox, undelivered
from qagate.store.tables import DeliveryRow
from tests.unit.web import people
from tests.web.seeds import Seed

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("served", [None], indirect=True)
def test_from_the_alert_to_a_delivery_that_is_tried_again(served, page):
    """Somebody who logged in by the page presses the buttons: what they send is no form of another site."""
    served.add(Seed("look", "review", 41.0))
    people.add(served.database, "ada", Role.ADMIN)
    now = datetime.now(UTC)
    with served.database.begin() as session:
        for number in session.scalars(select(DeliveryRow.id)).all():
            outbox.failed(
                session, [number], detail="0122 not supported", obstacle=Obstacle.REFUSED, max_attempts=9, at=now
            )
        alerts.apply(session, list(steps({}, parked({"PACS": 3}))), now)

    page.goto(f"{served.url}/login")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(people.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/")
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
