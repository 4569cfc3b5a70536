"""One series in a real browser: the viewer, the curve and the keys are about the same slice."""

from __future__ import annotations

import hashlib

import pytest
from playwright.sync_api import expect

from qagate.web.pages import VENDOR
from tests.web.seeds import Seed

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU",), minutes=3, images=True)


def pixels(page) -> str:
    """A digest of what the viewer shows."""
    return hashlib.sha256(page.locator("#volume").screenshot()).hexdigest()


@pytest.fixture(params=["canvas", "niivue"])
def series(request, served, page):
    if request.param == "niivue" and not (VENDOR / "niivue.js").is_file():
        pytest.skip("NiiVue is not installed here")
    served.add(LOOK)
    page.goto(f"{served.url}/series/{LOOK.uid}?viewer={request.param}")
    page.wait_for_selector("#viewer[data-ready=true]")
    page.wait_for_timeout(300)
    return page


def test_pixels_change_with_slice_and_window(series):
    page = series
    assert page.inner_text("#at") == "9"  # quality is lowest at the ninth slice
    seen = [pixels(page)]
    for key, slice_ in (("ArrowDown", "10"), ("Home", "1"), ("w", "9"), ("w", "8")):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        assert page.inner_text("#at") == slice_
        seen.append(pixels(page))
    assert seen[0] == seen[3]  # back at the worst one
    assert len({seen[0], seen[1], seen[2], seen[4]}) == 4
    page.keyboard.press("4")  # lung
    page.wait_for_timeout(300)
    assert pixels(page) != seen[4]
    page.keyboard.press("m")
    page.wait_for_timeout(300)
    assert page.get_attribute('[data-plane="all"]', "aria-pressed") == "true"


def test_wheel_and_curve_move_the_same_slice(series):
    page = series
    page.hover("#volume")
    page.mouse.wheel(0, 120)
    expect(page.locator("#at")).not_to_have_text("9")
    box = page.locator("#curve").bounding_box()
    before = pixels(page)
    page.mouse.click(box["x"] + box["width"] * 2.5 / 12, box["y"] + 20)  # the third of twelve slices
    assert page.inner_text("#at") == "3"
    page.wait_for_timeout(100)
    assert pixels(page) != before
    page.click('[data-slice="7"]')
    assert page.inner_text("#at") == "8"


def test_images_gone(served, page):
    served.add(Seed("gone", "accept", 80.0))
    page.goto(f"{served.url}/series/{Seed('gone').uid}")
    page.wait_for_selector("#viewer[data-ready=false]")
    assert "no longer here" in page.inner_text("#stage-note")
    assert page.locator("#poster").is_visible()  # the worst slice still stands there
