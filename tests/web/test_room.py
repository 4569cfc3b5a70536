"""The room page in a real browser."""

from __future__ import annotations

import pytest

from qagate.web.room import Receiver
from tests.web.seeds import Seed

pytestmark = pytest.mark.peers


def test_room_follows_the_scanner(served, page):
    served.add(Seed("one", "accept", 84.0, minutes=1))
    page.goto(f"{served.url}/room/CT2")
    assert page.locator(".word span").inner_text() == "Good"
    good = page.evaluate("getComputedStyle(document.querySelector('.now')).backgroundColor")
    served.add(Seed("two", "review", 41.0, reasons=("Patient moved",), minutes=0))
    page.wait_for_selector(".now.review")
    assert page.locator(".word span").inner_text() == "Look"
    assert page.inner_text(".why") == "Patient moved"
    assert page.evaluate("getComputedStyle(document.querySelector('.now')).backgroundColor") != good
    assert page.locator(".strip li").count() == 1
    assert "ACC0004711" not in page.content()


def test_room_without_a_receiver(served, page, monkeypatch):
    served.add(Seed("one", "accept", 84.0, minutes=1))
    page.goto(f"{served.url}/room/CT2")
    monkeypatch.setattr(Receiver, "listens", lambda self: False)
    page.wait_for_selector(".now.silent")
    assert page.locator(".word span").inner_text() == "Not receiving"


def test_room_notices_that_qagate_is_gone(served, page):
    served.add(Seed("one", "accept", 84.0, minutes=1))
    page.goto(f"{served.url}/room/CT2")
    page.route("**/now", lambda route: route.abort())
    page.wait_for_selector("#silent:not([hidden])", timeout=30_000)
    assert "does not answer" in page.inner_text("#silent")
