"""One series in a real browser: the viewer, the curve and the keys are about the same slice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from qagate.web.pages import VENDOR
from tests.web import seeds
from tests.web.eyes import pixels, still, until
from tests.web.seeds import Seed, judge, late_image

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU",), minutes=3, images=True)


@pytest.fixture(params=["canvas", "niivue"])
def series(request, served, page):
    if request.param == "niivue" and not (VENDOR / "niivue.js").is_file():
        pytest.skip("NiiVue is not installed here")
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer={request.param}")
    page.wait_for_selector("#viewer[data-ready=true]")
    still(page)
    return page


def test_pixels_change_with_slice_and_window(series):
    page = series
    assert page.inner_text("#at") == "9"  # quality is lowest at the ninth slice
    seen = [pixels(page)]
    for key, slice_ in (("ArrowDown", "10"), ("Home", "1"), ("w", "9"), ("w", "8")):
        page.keyboard.press(key)
        expect(page.locator("#at")).to_have_text(slice_)
        seen.append(still(page))
    assert seen[0] == seen[3]  # back at the worst one
    assert len({seen[0], seen[1], seen[2], seen[4]}) == 4
    page.keyboard.press("4")  # lung
    until(lambda: pixels(page) != seen[4])
    page.keyboard.press("m")
    expect(page.locator('[data-plane="all"]')).to_have_attribute("aria-pressed", "true")


def test_wheel_and_curve_move_the_same_slice(series):
    page = series
    page.hover("#volume")
    page.mouse.wheel(0, 120)
    expect(page.locator("#at")).not_to_have_text("9")
    box = page.locator("#curve").bounding_box()
    before = still(page)
    page.mouse.click(box["x"] + box["width"] * 2.5 / 12, box["y"] + 20)  # the third of twelve slices
    expect(page.locator("#at")).to_have_text("3")
    until(lambda: pixels(page) != before)
    page.click('[data-slice="7"]')
    expect(page.locator("#at")).to_have_text("8")


def test_the_page_keeps_itself_current(served, page):
    served.add(Seed("one", "", minutes=0, images=True))
    page.goto(f"{served.url}/series/{Seed('one').uid}")
    expect(page.locator("#said")).to_contain_text("Arriving")
    served.add(Seed("one", "review", 41.0, reasons=("Noise 24 HU",), minutes=0, images=True))
    expect(page.locator("#said .verdict")).to_have_text("Look")  # without being asked
    expect(page.locator("#viewer[data-ready=true]")).to_be_visible()
    page.keyboard.press("Home")
    page.request.post(f"{served.url}/api/v1/series/{Seed('one').uid}/decisions", data={"kind": "agree", "version": 1})
    expect(page.locator("#decision .stands")).to_have_text("Agreed.")  # somebody else decided
    assert page.inner_text("#at") == "1"  # the images stayed where they were
    revision = late_image(served.database, Seed("one"))
    judge(served.database, served.settings, Seed("one", "accept", 80.0), revision, 2, datetime.now(UTC))
    expect(page.locator("#toast")).to_contain_text("More images came")


def test_images_gone(served, page):
    served.add(Seed("gone", "accept", 80.0))
    page.goto(f"{served.url}/series/{Seed('gone').uid}")
    page.wait_for_selector("#viewer[data-ready=false]")
    assert "no longer here" in page.inner_text("#stage-note")
    assert page.locator("#poster").is_visible()  # the worst slice still stands there


def test_names_written_from_right_to_left_stay_in_their_places(served, page):
    """The station stood within the quotation marks of the description, and that behind it."""
    one = Seed("right", "review", 44.0, description="الرأس بدون تباين", protocol="رأس", station="مستشفى")
    served.add(one)
    page.goto(f"{served.url}/series/{one.uid}?viewer=canvas")
    parts = [page.locator("h1").get_by_text(text, exact=True).bounding_box() for text in (one.description, one.station)]
    assert parts[0]["x"] + parts[0]["width"] <= parts[1]["x"]


def test_one_image_has_no_stack_to_go_through(served, page, monkeypatch):
    """It had a slider with one stop, planes that cannot be cut, and its own picture again as the worst of one."""
    monkeypatch.setattr(seeds, "SLICES", 1)
    one = Seed("flat", "review", 44.0, minutes=2, images=True)
    served.add(one)
    page.goto(f"{served.url}/series/{one.uid}?viewer=canvas")
    page.wait_for_selector("#viewer[data-ready=true]")
    expect(page.locator(".where")).to_contain_text("slice 1/1")
    for part in ("#slider", "#planes", ".pictures"):
        expect(page.locator(part)).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("2")  # windows still are
    expect(page.locator("#windows button").nth(1)).to_have_attribute("aria-pressed", "true")
