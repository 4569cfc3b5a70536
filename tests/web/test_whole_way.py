"""The whole way with real parts: dcmtk scans, `qagate serve` holds, a person decides in Chromium, Orthanc gets them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.integration.node import ServedNode
from tests.integration.test_inline import ROOT, series
from tests.peers import dcmtk, orthanc
from tests.web.conftest import watched
from tests.web.eyes import still, until

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not (orthanc.available() and dcmtk.available()), reason="needs Orthanc and dcmtk"),
]

UID = f"{ROOT}.70.1"
IMAGES = 12
PASSWORD = "correct horse battery"
PATIENCE_MS = 120_000


@dataclass(frozen=True)
class Site:
    node: ServedNode
    pacs: orthanc.Orthanc

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.node.web_port}"

    @property
    def at_pacs(self) -> int:
        """How many images of the series the PACS has."""
        return len(self.pacs.find("Instance", SeriesInstanceUID=UID))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node in front of an Orthanc that flags and holds whatever has a score; nobody has been set up."""
    folder = tmp_path_factory.mktemp("whole-way")
    port = dcmtk.free_port()
    with (
        orthanc.Orthanc(folder / "orthanc") as pacs,
        ServedNode(
            folder / "node", port=port,
            destinations=[
                {"name": "PACS", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.port, "originals": True}
            ],
            sections={
                "policies": [{"name": "gate", "action": "hold", "hold_seconds": 3600, "review_below": 100}],
                "people": {"anonymous_role": None},
            },
        ) as node,
    ):  # fmt: skip
        yield Site(node, pacs)


def ground(room) -> str:
    return room.evaluate("getComputedStyle(document.querySelector('.now')).backgroundColor")


def test_from_the_scanner_to_the_released_images_by_keys_alone(site, chromium, tmp_path):
    with watched(chromium, site.url) as page, watched(chromium, site.url) as room:
        set_up(site, page)
        room.goto(f"{site.url}/room/CTROOM")  # where nobody logs in
        expect(room.locator(".word span")).to_have_text("No series yet")
        before = ground(room)

        sent = dcmtk.dcmsend(series(tmp_path, 70, IMAGES), port=site.node.port, calling="CTROOM")
        assert sent.returncode == 0, sent.output
        room.wait_for_selector(".now.review", timeout=PATIENCE_MS)
        assert room.locator(".word span").inner_text() == "Look"
        until(lambda: ground(room) != before)
        assert ROOT not in room.locator(".now").inner_text()

        row = page.locator(f'tr[data-uid="{UID}"]')  # it came to the list by itself
        expect(row.locator(".verdict")).to_have_text("Look", timeout=PATIENCE_MS)
        expect(row.locator(".held")).to_contain_text("Held until")
        page.keyboard.press("2")  # those to look at
        page.wait_for_url("**verdict=review**")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/series/{UID}")
        page.wait_for_selector("#viewer[data-ready=true]", timeout=PATIENCE_MS)
        look_through(page)

        expect(page.locator("#sent")).to_contain_text(re.compile(rf"{IMAGES} images\s*held"))
        assert site.at_pacs == 0
        page.keyboard.press("l")
        page.keyboard.press("Enter")  # the dialog asks once more
        expect(page.locator("#toast")).to_contain_text("Released")
        site.node.wait(lambda: site.at_pacs == IMAGES, 60, "the released images to be at Orthanc")
        expect(page.locator("#said .held")).to_have_count(0, timeout=PATIENCE_MS)
        expect(page.locator("#sent")).to_contain_text(re.compile(rf"{IMAGES} images\s*sent"), timeout=PATIENCE_MS)

        page.keyboard.press("d")  # the verdict is wrong
        page.select_option("#decide select", "good_enough")
        page.keyboard.press("Enter")
        expect(page.locator("#decision .stands")).to_have_text("Disagreed.")
        answer = page.request.get(f"{site.url}/api/v1/labels.csv")
        assert [(line["score"], line["modality"]) for line in csv.DictReader(io.StringIO(answer.text()))] == [
            ("100", "MR")
        ]


def set_up(site: Site, page) -> None:
    """Become the first admin with the token that the node printed."""
    found = re.search(r"give this token: (\S+)", site.node.log_path.read_text())
    assert found, site.node.log()
    page.goto(f"{site.url}/setup")
    for text in (found.group(1), "ada", PASSWORD, PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/")
    assert "Nothing has arrived yet" in page.inner_text("#live")


def look_through(page) -> None:
    """Scroll: other pixels with each slice."""
    seen = []
    for key, slice_ in (("Home", 1), ("ArrowDown", 2), ("End", IMAGES)):
        page.keyboard.press(key)
        expect(page.locator("#at")).to_have_text(str(slice_))
        seen.append(still(page))
    assert len(set(seen)) == 3
