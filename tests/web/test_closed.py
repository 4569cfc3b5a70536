"""No page asks anybody but us for anything, whatever is on it."""

from __future__ import annotations

import pytest

from tests.web.seeds import Seed
from tests.web.trend_seeds import seed_points

pytestmark = pytest.mark.peers

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU; abdomen here is usually 12-18",), images=True)
PAGES = ("/", "/?order=flagged&text=abd", f"/series/{LOOK.uid}", "/trends", "/limits", "/room/CT2", "/people", "/audit",
         "/trends?scanner=CT2&protocol=Abdomen+venous", "/login", "/nowhere")  # fmt: skip


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
        page.wait_for_timeout(500)  # what scripts ask for afterwards
    assert elsewhere == []  # the fixture looks once more at all that was asked for
