"""Who uses keys alone, listens to the page, or prints it: where the focus is, what is said, and what is legible."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.seeds import Seed

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU",), minutes=3, images=True)
GOOD = Seed("good", "accept", 86.0, minutes=9)


def focus(page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.textContent.trim() || 'nowhere'")


def test_the_first_tab_leads_past_what_every_page_has(served, page):
    served.add(LOOK)
    page.goto(served.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert focus(page) == "content"


def test_the_focus_comes_back_from_every_dialog(served, page):
    served.add(LOOK)
    page.goto(served.url)
    page.keyboard.press("j")
    row = focus(page)
    assert "CT abdomen" in row
    for key in ("r", "?"):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        assert focus(page) == row


def test_a_limit_is_set_by_keys_and_the_focus_stays(served, page):
    """The page was loaded anew without a word, and the focus was at its beginning."""
    served.add(GOOD)
    page.goto(f"{served.url}/limits")
    page.get_by_label("Limit for CT Abdomen venous").fill("62")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("Set")
    expect(page.locator("#history")).to_contain_text("set 62")
    assert focus(page) == "Set"
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_have_text("Taken back")
    assert focus(page) == "history"


def test_a_note_beside_a_trend_is_said_to_be_kept(served, page):
    for i in range(6):
        served.add(Seed(f"s{i}", "accept", 80.0 + i, minutes=i + 1))
    page.goto(f"{served.url}/trends?scanner=CT2&protocol=Abdomen+venous")
    page.locator("#note [name=words]").fill("tube replaced")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_have_text("Noted")
    expect(page.locator("#notes")).to_contain_text("tube replaced")
    assert page.evaluate("document.activeElement.name") == "words"


def test_who_listens_hears_of_new_rows(served, page):
    served.add(LOOK)
    page.goto(served.url)
    served.add(GOOD)
    expect(page.locator("#arrived[role=status]")).to_have_text("1 new")


def test_paper_is_white_and_has_nothing_to_press(served, page):
    """In the dark theme a printed series was pale grey on white."""
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer=canvas")
    page.wait_for_selector("#viewer[data-ready=true]")
    page.emulate_media(media="print")
    style = "getComputedStyle(document.body)"
    assert page.evaluate(f"[{style}.color, {style}.backgroundColor]") == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.locator("button:visible").count() == 0
    for words in ("Look", "Noise 24 HU", "Waits for a person", "Not for diagnosis"):
        expect(page.get_by_text(words).first).to_be_visible()


def test_what_has_the_focus_is_not_behind_the_decision(served, page):
    """The decision stays in sight, and stood before what Tab led to."""
    served.add(LOOK)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer=canvas")
    page.wait_for_selector("#viewer[data-ready=true]")
    covered = """one => {
      one.focus();
      const { x, y, width, height } = one.getBoundingClientRect();
      return !one.contains(document.elementFromPoint(x + width / 2, y + height / 2));
    }"""
    ways = page.locator(".right-side summary, .right-side a, .right-side button").all()
    assert len(ways) > 6
    page.evaluate("scrollTo(0, 0)")
    assert [way.inner_text() for way in ways if way.is_visible() and way.evaluate(covered)] == []
