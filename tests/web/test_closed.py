"""No page asks anybody but us for anything, whatever is on it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from qagate.web.access import routes_of
from qagate.web.app import create_app
from tests.web.seeds import Seed
from tests.web.trend_seeds import seed_points

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU; abdomen here is usually 12-18",), images=True)
PAGES = (
    "/", "/?order=flagged&text=abd", f"/series/{LOOK.uid}?viewer=canvas", f"/series/{LOOK.uid}?viewer=niivue",
    "/trends", "/trends?scanner=CT2&protocol=Abdomen+venous", "/limits",
    "/limits?below=60&flags_a_day=6", "/alerts", "/deliveries", "/room/CT2", "/people",
    "/tokens", "/audit", "/me", "/login", "/setup", "/nowhere",
)  # fmt: skip
PARTS = {"/rows", "/room/{scanner}/now", "/login/oidc", "/login/oidc/back"}
"""What is fetched by a page, or sends the browser on to the site's own directory."""


def test_all_pages_are_among_them(served):
    """A page that is added must be added here."""
    with TestClient(create_app(served.settings, served.database)) as client:
        shown = {route.path for route in routes_of(client.app) if "GET" in route.methods and is_page(route.path)}
    asked = {re.sub(r"(/series|/room)/[^/]+", lambda one: one[1] + ("/{uid}" if one[1] == "/series" else "/{scanner}"),
                    urlsplit(address).path) for address in PAGES}  # fmt: skip
    assert shown - PARTS == asked - {"/nowhere"}


def is_page(path: str) -> bool:
    return not path.startswith(("/api/", "/static", "/dicom-web", "/openapi")) and path not in (
        "/healthz", "/readyz", "/metrics",
    )  # fmt: skip


def test_every_page_has_one_heading_of_the_first_rank(served, page):
    """Who listens to a page instead of looking at it goes by them."""
    served.add(LOOK)
    seed_points(served.database, 400)
    found = {}
    for address in PAGES:
        page.goto(served.url + address, wait_until="domcontentloaded")
        found[address] = page.locator("h1").count()
    assert {address: number for address, number in found.items() if number != 1} == {}


def test_no_page_asks_others(served, page):
    served.add(LOOK)
    seed_points(served.database, 400)
    elsewhere = []
    page.route(
        lambda url: not url.startswith((served.url, "data:", "blob:")),
        lambda route: (elsewhere.append(route.request.url), route.abort()),
    )
    for address in PAGES:
        page.goto(served.url + address, wait_until="load")
        if "/series/" in address:
            page.wait_for_selector("#viewer[data-ready]")
            for key in ("h", "m", "4", "ArrowDown"):  # heatmap, planes, window, slice
                page.keyboard.press(key)
        page.wait_for_timeout(400)  # what scripts ask for afterwards
    assert elsewhere == []  # the fixture looks once more at all that was asked for
