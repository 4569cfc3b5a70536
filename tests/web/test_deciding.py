"""Deciding in a real browser: by keys alone, about one and about many, and what comes of it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from qagate.store import decisions, holding, limits
from qagate.web.pages import VENDOR
from tests.web.eyes import pixels, still, until
from tests.web.seeds import Seed, seed

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU",), minutes=3, images=True)
MORE = Seed("more", "review", 44.0, reasons=("Noise 23 HU",), minutes=4)
GOOD = Seed("good", "accept", 86.0, minutes=9)


def state(served, one: Seed) -> str:
    with served.database.read() as session:
        return decisions.of(session, one.uid).state


def test_find_open_scroll_decide_and_find_the_label_in_the_export(served, page):
    for one in (LOOK, GOOD):
        served.add(one)
    page.goto(served.url)
    page.keyboard.press("1")  # to do
    page.wait_for_url("**verdict=todo**")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[data-ready=true]")
    page.keyboard.press("d")  # the verdict is wrong
    page.select_option("#decide select", "good_enough")
    page.keyboard.press("Enter")
    expect(page.locator("#decision .stands")).to_have_text("Disagreed.")
    expect(page.locator("#toast")).to_contain_text("Disagreed")
    rows = list(csv.DictReader(io.StringIO(page.request.get(f"{served.url}/api/v1/labels.csv").text())))
    assert [(row["score"], row["modality"], row["organ"]) for row in rows] == [("100", "CT", "abdomen")]
    page.keyboard.press("z")
    expect(page.locator("#decision .stands")).to_have_text("Waits for a person.")
    assert page.locator("#decision .trail s").count() == 1  # struck through, and still there


def test_many_at_once_by_keys(served, page):
    for one in (LOOK, MORE, GOOD):
        served.add(one)
    page.goto(served.url)
    for key in ("j", "Space", "j", "Space"):
        page.keyboard.press(key)
    expect(page.locator("#chosen-count")).to_have_text("2 selected")
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("2 agreed")
    expect(page.locator(f'tr[data-uid="{MORE.uid}"] .decided')).to_have_text("agreed")
    expect(page.locator('[data-tab="todo"] b')).to_have_text("0")
    assert [state(served, one) for one in (LOOK, MORE, GOOD)] == ["agreed", "agreed", ""]
    page.keyboard.press("z")
    expect(page.locator('[data-tab="todo"] b')).to_have_text("2")


def test_a_key_that_decides_about_nothing_leaves_the_last_decision_to_be_taken_back(served, page):
    served.add(LOOK)
    page.goto(served.url)
    for key in ("j", "a"):
        page.keyboard.press(key)
    expect(page.locator("#toast")).to_contain_text("Agreed")
    for key in ("Escape", "a", "z"):  # no row has the focus
        page.keyboard.press(key)
    expect(page.locator("#toast")).to_contain_text("Taken back")
    assert state(served, LOOK) == "open"


def test_the_focus_stays_on_the_button_that_decided(served, page):
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer=canvas")
    page.wait_for_selector("#viewer[data-ready=true]")
    page.focus("#decision [data-do=agree]")
    page.keyboard.press("Enter")
    expect(page.locator("#decision .stands")).to_have_text("Agreed.")
    assert page.evaluate("document.activeElement.dataset.do") == "agree"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.do") == "disagree"


def test_a_hidden_verdict_is_not_asked_about(served, page):
    """A note can be left; whether the verdict is wrong nobody can say who does not see it."""
    uid = seed(served.database, served.settings, LOOK, blind=1.0)
    page.goto(f"{served.url}/series/{uid}?viewer=canvas")
    page.keyboard.press("o")
    expect(page.get_by_label("A note only")).to_be_checked()
    for name in ("The verdict is wrong", "Confirm: these images are not fit to be read"):
        expect(page.get_by_label(name)).to_be_hidden()
    page.keyboard.press("Escape")
    served.add(GOOD)
    page.goto(f"{served.url}/series/{GOOD.uid}?viewer=canvas")
    page.keyboard.press("o")
    expect(page.get_by_label("The verdict is wrong")).to_be_visible()


@pytest.mark.parametrize("key", ["a", "r", "d"])
def test_a_series_whose_verdict_is_hidden_is_opened_by_the_keys_that_decide(served, page, key):
    uid = seed(served.database, served.settings, LOOK, blind=1.0)
    page.goto(served.url)
    page.keyboard.press("j")
    page.keyboard.press(key)
    page.wait_for_url(f"**/series/{uid}")


def test_an_emptied_field_sets_no_limit(served, page):
    """It set the limit 0, below which nothing is ever flagged."""
    served.add(GOOD)
    page.goto(f"{served.url}/limits")
    field = page.get_by_label("Limit for CT Abdomen venous")
    field.fill("")
    page.get_by_role("button", name="Set").click()
    page.wait_for_timeout(300)
    with served.database.read() as session:
        assert limits.standing(session) == ()
    field.fill("62")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#history")).to_contain_text("set 62")


def test_somebody_else_was_quicker(served, page):
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}")
    page.wait_for_selector("#decision")
    page.request.post(f"{served.url}/api/v1/series/{LOOK.uid}/decisions", data={"kind": "agree", "version": 1})
    page.keyboard.press("r")
    page.select_option("#decide select", "motion_blur")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_contain_text("this series changed since you looked")
    assert state(served, LOOK) == "agreed"
    with served.database.read() as session:
        assert holding.get(session, LOOK.uid) is None


@pytest.mark.parametrize("viewer", ["canvas", "niivue"])
def test_the_heatmap_tints_the_images(served, page, viewer):
    if viewer == "niivue" and not (VENDOR / "niivue.js").is_file():
        pytest.skip("NiiVue is not installed here")
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer={viewer}")
    page.wait_for_selector("#viewer[data-ready=true]")
    plain = still(page)
    page.keyboard.press("h")
    expect(page.locator("#heat-on")).to_have_attribute("aria-pressed", "true")
    until(lambda: pixels(page) != plain)
    warm = still(page)
    page.locator("#heat-opacity").fill("80")
    until(lambda: pixels(page) not in (plain, warm))
    page.keyboard.press("h")
    until(lambda: pixels(page) == plain)


def test_a_limit_is_tried_set_and_taken_back(served, page):
    for i in range(24):
        served.add(Seed(f"s{i}", "accept", 52.0 + i, minutes=i + 1))
    page.goto(f"{served.url}/limits?below=60")
    assert "8 0.09 a day" in page.inner_text(".limits tbody")
    page.locator(".set-limit input").fill("60")
    page.keyboard.press("Enter")
    expect(page.locator("#history li").first).to_contain_text("set 60 for CT “Abdomen venous”")
    page.click("#history [data-undo]")
    expect(page.locator("#history li").first).to_contain_text("took back the limit 60")


def hold(served, *ones: Seed) -> None:
    now = datetime.now(UTC)
    with served.database.begin() as session:
        for one in ones:
            assert holding.hold(session, one.uid, policy="gate", at=now, until=now + timedelta(minutes=5))


def test_everything_that_is_held_goes_by_one_button_and_a_question(served, page):
    for one in (LOOK, MORE, GOOD):
        served.add(one)
    hold(served, LOOK, MORE)
    page.goto(served.url)
    expect(page.locator("#waiting b")).to_have_text("2")
    page.click("[data-do=everything]")
    page.click("#everything button[value=cancel]")
    with served.database.read() as session:
        assert len(holding.waiting(session)) == 2
    page.click("[data-do=everything]")
    page.fill("#everything textarea", "the PACS is moved")
    page.click("#everything button[value=ok]")
    expect(page.locator("#toast")).to_contain_text("2 released")
    expect(page.locator("#waiting")).to_be_empty()
    with served.database.read() as session:
        assert [holding.get(session, one.uid).reason for one in (LOOK, MORE)] == ["the PACS is moved"] * 2


@pytest.mark.parametrize("served", ["reviewer"], indirect=True)
def test_only_who_may_release_everything_is_offered_it(served, page):
    served.add(LOOK)
    hold(served, LOOK)
    page.goto(served.url)
    expect(page.locator("#waiting")).to_contain_text("1 held")
    assert page.locator("[data-do=everything]").count() == 0
