"""On a phone every page keeps its width, and the worklist says which series is meant."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from qagate.domain.person import Role
from tests.unit.web.people import PASSWORD, add, token_of
from tests.web.seeds import Seed
from tests.web.test_closed import LOOK, PAGES
from tests.web.trend_seeds import seed_points

pytestmark = pytest.mark.peers

PHONE = {"width": 390, "height": 844}
LONG = Seed("long", "review", 40.0, description="Abdomen_pelvis_venous_3mm_soft_tissue_reformatted_coronal", minutes=2)


@pytest.mark.parametrize(("width", "pages"), [(390, PAGES), (721, ("/", "/trends", "/people"))])
def test_no_page_scrolls_sideways(served, page, width, pages):
    served.add(LOOK)
    served.add(LONG)
    seed_points(served.database, 400)
    page.set_viewport_size({**PHONE, "width": width})
    found = {}
    for address in pages:
        page.goto(served.url + address, wait_until="load")
        found[address] = page.evaluate("document.documentElement.scrollWidth")
    assert {address: wide for address, wide in found.items() if wide > width} == {}


@pytest.mark.parametrize("served", [None], indirect=True)
def test_nor_the_pages_of_somebody_who_is_logged_in(served, page):
    add(served.database, "ada.lovelace@physics.site.org", Role.ADMIN)
    token_of(served.database, "ada.lovelace@physics.site.org")
    page.set_viewport_size(PHONE)
    page.goto(served.url)
    page.get_by_label("Name").fill("ada.lovelace@physics.site.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/")
    for address in ("/me", "/people", "/tokens", "/audit"):
        page.goto(served.url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address


def test_the_series_stand_first_and_the_filters_are_folded(served, page):
    """Filters took the upper half of the screen."""
    served.add(LOOK)
    page.set_viewport_size(PHONE)
    page.goto(served.url)
    expect(page.locator("form.filters")).to_be_hidden()
    row = page.locator(f"tr[data-uid='{LOOK.uid}']").bounding_box()
    assert row["y"] + row["height"] < 0.55 * PHONE["height"]
    page.locator("[data-tab=review]").click()
    page.wait_for_url("**verdict=review**")
    expect(page.locator("form.filters")).to_be_hidden()
    page.locator("#filters summary").click()
    page.select_option("select[name=modality]", "CT")
    page.wait_for_url("**modality=CT")
    expect(page.locator("form.filters")).to_be_visible()  # what is set stays in sight
    page.goto(served.url)
    page.set_viewport_size({"width": 1280, "height": 800})  # turned, or on another screen
    expect(page.locator("form.filters")).to_be_visible()


def test_a_row_of_the_worklist_says_all_it_says_on_a_desk(served, page):
    served.add(LOOK)
    page.set_viewport_size(PHONE)
    page.goto(served.url)
    row = page.locator(f"tr[data-uid='{LOOK.uid}']")
    for text in ("Look", "41", "CT abdomen", "Abd venous 3mm", "CT2", "Noise 24 HU"):
        box = row.get_by_text(text).first.bounding_box()
        assert box is not None, text
        assert box["width"] > 8, text
        assert box["x"] + box["width"] <= PHONE["width"], text
