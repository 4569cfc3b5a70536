"""The trends in a real browser, over 5000 series."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.eyes import until
from tests.web.trend_seeds import seed_points

pytestmark = pytest.mark.peers


def test_trends_of_5000_series(served, page):
    seed_points(served.database, 5000)
    page.goto(f"{served.url}/trends")
    expect(page.locator(".plot[data-drawn]")).to_have_count(8)
    assert page.locator(".scanner").count() == 4
    assert "Changed down since" in page.locator(".small-multiple", has_text="Abdomen venous").nth(1).inner_text()
    page.locator(".small-multiple", has_text="Abdomen venous").nth(1).click()
    page.wait_for_url("**/trends?scanner=CT2&protocol=Abdomen+venous&days=90")
    expect(page.locator(".plot canvas")).to_have_count(page.locator(".plot").count())
    assert "The score went down" in page.inner_text("main")
    assert "qagate-iqa 0.2.0 beef0000" in page.inner_text("#notes")
    dark = page.locator(".plot.large canvas").screenshot()
    page.click("#theme")
    until(lambda: page.locator(".plot.large canvas").screenshot() != dark)  # drawn again in the other theme's colours
    page.fill("#note [name=words]", "tube replaced")
    page.click("#note button")
    page.locator("#notes li", has_text="tube replaced").wait_for()
    page.locator(".plot.large .u-over").click()  # its middle
    page.wait_for_url(lambda url: "&date=20" in url)
    assert page.locator("tr[data-uid]").count() > 0  # the series behind the point
