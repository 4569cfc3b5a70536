"""The worklist in a real browser: filters, keys, rows that come by themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.web.seeds import Seed

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU; abdomen here is usually 12-18",), minutes=3)
KNEE = Seed("knee", "accept", 86.0, modality="MR", region="", organ="knee", station="MR1", protocol="Knee", minutes=9)


def fill(served, *more: Seed) -> None:
    for one in (LOOK, KNEE, *more):
        served.add(one)


def test_filter_by_hand_and_by_address(served, page):
    fill(served)
    page.goto(served.url)
    assert page.locator("tr[data-uid]").count() == 2
    page.select_option("select[name=modality]", "MR")
    page.wait_for_url("**/?modality=MR")  # short, and can be kept as a bookmark
    assert page.locator("tr[data-uid]").count() == 1
    assert page.locator("select[name=modality]").input_value() == "MR"
    page.goto(f"{served.url}/?verdict=review")
    assert page.locator("tr[data-uid] .verdict").inner_text() == "Look"


def test_keyboard_alone(served, page):
    fill(served)
    page.goto(served.url)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/series/{LOOK.uid}")
    page.keyboard.press("u")
    page.wait_for_url(f"{served.url}/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "text"
    page.keyboard.type("Abd")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?text=Abd")
    page.keyboard.press("2")
    page.wait_for_url("**verdict=review**")
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog#keys").is_visible()


def test_new_rows_come_by_themselves_and_counts_follow(served, page):
    page.goto(served.url)
    assert "Nothing has arrived yet" in page.inner_text("#live")
    fill(served)
    page.wait_for_selector(f'tr[data-uid="{LOOK.uid}"]')
    served.add(Seed("next", "review", 30.0, minutes=0))
    page.wait_for_selector(f'tr[data-uid="{Seed("next").uid}"].fresh')
    assert page.locator('[data-tab="review"] b').inner_text() == "2"
    assert page.locator("tr[data-uid]").first.get_attribute("data-uid") == Seed("next").uid


@pytest.mark.parametrize("rows", [0, 14])  # a list that fits the window, and one that must be scrolled
def test_the_row_under_the_cursor_never_moves(served, page, rows):
    fill(served, *(Seed(f"more{i}", "", minutes=20 + i) for i in range(rows)))
    page.goto(served.url)
    row = page.locator(f'tr[data-uid="{KNEE.uid}"]')
    row.hover()
    before = row.bounding_box()
    served.add(Seed("next", "review", 30.0, minutes=0))
    expect(page.locator("[data-tab=review] b")).to_have_text("2")
    assert row.bounding_box() == before
    if not rows:  # nothing to scroll: the row waits behind a button
        assert page.locator("#fresh").inner_text() == "1 new"
        page.keyboard.press("n")
    assert page.locator("tr[data-uid]").first.get_attribute("data-uid") == Seed("next").uid


def test_a_row_changes_in_place_when_its_verdict_comes(served, page):
    served.add(Seed("one", "", minutes=0))
    page.goto(served.url)
    assert page.locator("tr .verdict").inner_text() == "Arriving"
    served.add(Seed("one", "accept", 77.0, minutes=0))
    page.wait_for_selector("tr.accept")
    assert page.locator("tr .score b").inner_text() == "77"


def test_times_do_not_stay_relative_on_a_page_that_stays_open(served, page):
    """A list that is looked at in the morning said "59 min ago" of what came in the evening."""
    fill(served)
    page.clock.install()
    page.goto(served.url)
    when = page.locator(f"tr[data-uid='{LOOK.uid}'] time")
    page.clock.fast_forward("50:00")
    expect(when).to_have_text("53 min ago")
    page.clock.fast_forward("03:00:00")
    expect(when).to_have_text(re.compile(r"\d\d:\d\d \S+$"))
    page.clock.fast_forward("20:00:00")
    expect(when).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+$"))


def test_an_answer_that_stops_in_the_middle_is_none(served, page):
    """What was read of it after the time was up ended in an error that nobody caught."""
    fill(served)
    page.add_init_script(
        "const whole = window.fetch;"
        "window.fetch = async (...asked) => { const answer = await whole(...asked);"
        " if (String(asked[0]).startsWith('/rows'))"
        "  answer.text = () => Promise.reject(new DOMException('signal timed out', 'TimeoutError')); return answer; };"
    )
    page.goto(served.url)
    expect(page.locator("#link")).to_have_text("qagate does not answer; this list is not current", timeout=20_000)


@pytest.mark.parametrize(("path", "what"), [("/", "this list"), (f"/series/{LOOK.uid}", "this page")])
def test_no_answer_is_said(served, page, path, what):
    """The page of a series said nothing, and looked as current as ever."""
    fill(served)
    page.goto(served.url + path)
    page.route("**/rows*", lambda route: route.abort())
    expect(page.locator("#link")).to_have_text(f"qagate does not answer; {what} is not current", timeout=20_000)
    page.unroute("**/rows*")
    expect(page.locator("#link")).to_be_empty(timeout=20_000)


def test_times_are_true_before_a_screen_whose_clock_is_wrong(served, page):
    """With a clock that was 20 minutes fast, what came 3 minutes ago was "23 min ago"."""
    fill(served)
    page.clock.install(time=datetime.now(UTC) + timedelta(minutes=20))
    page.goto(served.url)
    when = page.locator(f"tr[data-uid='{LOOK.uid}'] time")
    page.clock.fast_forward("00:10")
    expect(when).to_have_text("3 min ago")
    page.clock.fast_forward("05:00")
    expect(when).to_have_text("8 min ago")


def test_both_themes_and_a_tablet(served, page):
    fill(served)
    page.goto(served.url)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"  # remembered
    page.set_viewport_size({"width": 768, "height": 1024})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
