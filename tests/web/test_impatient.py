"""Somebody in a hurry, over a slow line, with two pages open: nothing is decided twice, and nothing is told wrongly."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from qagate.store import decisions, holding
from tests.web.seeds import Seed

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU",), minutes=3, images=True)
MORE = Seed("more", "review", 44.0, reasons=("Noise 23 HU",), minutes=4)
ARRIVING = Seed("arriving", "", minutes=1)
LONG = Seed("long", "review", 40.0, description="Abdomen_" + "x" * 56, protocol="P" * 64, station="S" * 16, minutes=2)


def said(served, one: Seed) -> list[str]:
    with served.database.read() as session:
        return [str(d.kind) for d in decisions.listed(session, one.uid)]


def slow(route) -> None:
    time.sleep(1.2)
    route.continue_()


@pytest.mark.parametrize(
    "twice", [lambda page: page.dblclick("[data-do=agree]"), lambda page: page.keyboard.type("aaa")]
)
def test_pressed_twice_is_decided_once(served, page, twice):
    """It was said that somebody else had decided meanwhile, and there was nothing to take it back by."""
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer=canvas")
    page.wait_for_selector("#viewer[data-ready=true]")
    twice(page)
    expect(page.locator("#decision .stands")).to_have_text("Agreed.")
    page.wait_for_timeout(500)
    expect(page.locator("#toast")).to_have_text("Agreed Undo z")
    assert said(served, LOOK) == ["agree"]


def test_what_is_pressed_over_a_slow_line_is_done_in_its_order(served, page):
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer=canvas")
    page.wait_for_selector("#viewer[data-ready=true]")
    page.route("**/decisions*", slow)
    page.keyboard.type("az")
    expect(page.locator("#toast")).to_contain_text("Waiting for qagate")
    expect(page.locator("#toast")).to_contain_text("Taken back")
    assert said(served, LOOK) == ["agree", "undo"]


def test_a_server_that_takes_a_decision_and_never_answers_is_waited_for_a_minute(served, page):
    """Every key that was pressed after it waited for ever, and nothing was said."""
    served.add(LOOK)
    page.add_init_script(
        "const real = AbortSignal.timeout; AbortSignal.timeout = (ms) => real.call(AbortSignal, ms / 50)"
    )
    page.goto(served.url)
    page.route("**/decisions", lambda route: None)
    for key in ("j", "a"):
        page.keyboard.press(key)
    expect(page.locator("#toast")).to_contain_text("qagate does not answer; look again whether that was done")
    page.unroute("**/decisions")
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("Agreed")
    assert said(served, LOOK) == ["agree"]


def test_one_that_cannot_be_taken_back_leaves_the_others_no_less_so(served, page):
    for one in (LOOK, MORE):
        served.add(one)
    page.goto(served.url)
    for key in ("j", "Space", "j", "Space", "a"):
        page.keyboard.press(key)
    expect(page.locator("#toast")).to_contain_text("2 agreed")
    with served.database.begin() as session:
        first = decisions.listed(session, LOOK.uid)[0]
        decisions.undo(
            session, LOOK.uid, first.id, person=first.person, at=datetime.now(UTC), within=timedelta(minutes=5)
        )
    page.keyboard.press("z")
    expect(page.locator("#toast")).to_contain_text("1 of 2 taken back; this decision was taken back already")
    assert said(served, MORE) == ["agree", "undo"]


def test_the_list_is_current_when_one_comes_back_to_it(served, page):
    served.add(LOOK)
    page.goto(served.url)
    page.click(f"tr[data-uid='{LOOK.uid}'] .what a")
    page.wait_for_selector("#viewer[data-ready]")
    page.keyboard.press("a")
    expect(page.locator("#decision .stands")).to_have_text("Agreed.")
    page.go_back()
    expect(page.locator(f"tr[data-uid='{LOOK.uid}'] .decided")).to_have_text("agreed", timeout=1500)


def test_a_browser_is_given_a_file_that_spreadsheets_read(served, page):
    """A link with the attribute `download` does not say that a browser asks."""
    served.add(LOOK)
    for address, link in (("/", "CSV"), ("/audit", "CSV"), ("/limits", "every decision")):
        page.goto(served.url + address)
        with page.expect_download() as taken:
            page.get_by_role("link", name=link, exact=True).click()
        assert taken.value.suggested_filename.startswith("qagate-")
        assert taken.value.path().read_bytes()[:3] == b"\xef\xbb\xbf", address


def test_a_browser_in_german_is_given_semicolons(served, chromium):
    """Excel put every line into one cell."""
    served.add(LOOK)
    for locale, first in (("de-DE", "series_instance_uid;study"), ("en-GB", "series_instance_uid,study")):
        context = chromium.new_context(locale=locale)
        page = context.new_page()
        page.goto(served.url)
        with page.expect_download() as taken:
            page.get_by_role("link", name="CSV", exact=True).click()
        assert taken.value.path().read_text("utf-8-sig").startswith(first), locale
        context.close()


def test_images_that_wait_for_a_verdict_are_released_by_their_button(served, page):
    """There was no button, and the key was refused."""
    served.add(ARRIVING)
    now = datetime.now(UTC)
    with served.database.begin() as session:
        holding.hold(session, ARRIVING.uid, policy="gate", at=now, until=now + timedelta(minutes=5))
    page.goto(f"{served.url}/series/{ARRIVING.uid}")
    page.get_by_role("button", name="Release").click()
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_contain_text("Released")
    expect(page.locator("#decision .trail")).to_contain_text("anonymous released")
    assert said(served, ARRIVING) == ["release"]


def broken(route) -> None:
    """What a proxy says while the node behind it is away."""
    route.fulfill(status=502, content_type="text/html", body="<html><h1>Bad gateway</h1></html>")


@pytest.mark.parametrize("fails", [broken, lambda route: route.abort()])
def test_what_was_written_stands_there_again_when_it_could_not_be_decided(served, page, fails):
    """A note was gone with the dialog, although nothing had come of it."""
    for one in (LOOK, MORE):
        served.add(one)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer=canvas")
    page.wait_for_selector("#viewer[data-ready=true]")
    page.route("**/decisions", fails)
    page.keyboard.press("r")
    page.select_option("#decide select", "motion_blur")
    page.fill("#decide textarea", "moved while breathing in")
    page.click("#decide [value=ok]")
    expect(page.locator("#toast")).to_contain_text("qagate answered 502" if fails is broken else "look again whether")
    page.unroute("**/decisions")
    page.keyboard.press("r")
    expect(page.locator("#decide textarea")).to_have_value("moved while breathing in")
    expect(page.locator("#decide select")).to_have_value("motion_blur")
    page.click("#decide [value=ok]")
    expect(page.locator("#decision .stands")).to_have_text("Rejected.")
    page.keyboard.press("o")
    expect(page.locator("#decide textarea")).to_have_value("")


@pytest.mark.parametrize(
    ("fails", "says"), [(broken, "qagate answered 502"), (lambda route: route.abort(), "qagate does not answer")]
)
def test_why_there_is_no_viewer_is_said_in_words(served, page, fails, says):
    """It was told what a parser had stumbled over."""
    served.add(LOOK)
    page.route("**/volume/*", fails)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer=canvas")
    expect(page.locator("#stage-note")).to_have_text(f"No viewer: {says}")
    expect(page.locator("#poster")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_long_words_make_no_page_wider(served, page, width):
    served.add(LONG)
    page.set_viewport_size({"width": width, "height": 800})
    for address in ("/", f"/series/{LONG.uid}", "/deliveries", "/trends", "/limits", "/room/" + "S" * 16):
        page.goto(served.url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


@pytest.mark.parametrize("width", [961, 1024, 1200, 1280])
def test_a_small_screen_shows_the_description_of_a_series(served, page, width):
    """Beside "CT abdomen" there was no room for it, and it was cut off whole."""
    served.add(LOOK)
    page.set_viewport_size({"width": width, "height": 768})
    page.goto(served.url)
    row = page.locator(f"tr[data-uid='{LOOK.uid}']")
    cell, words = row.locator(".what").bounding_box(), row.locator(".what a span").bounding_box()
    assert words["x"] + 90 <= cell["x"] + cell["width"]
    assert row.bounding_box()["height"] <= 65
