"""Take the pictures of docs/ from a running node: `python -m tests.web.pictures docs`.

dcmtk sends the demo's series to `qagate serve` as a scanner would; a person sets up the first admin, and Chromium shows
what the node then has. Ninety days of trends cannot be waited for: their points are written into its database
(trend_seeds). Each picture is taken in both themes, some on a tablet, too. Look at them before they are committed.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from playwright.sync_api import Page
from sqlalchemy import select

from qagate.demo.samples import samples
from qagate.store.database import Database
from qagate.store.tables import SeriesRow
from tests.integration.node import ServedNode
from tests.peers import chromium, dcmtk
from tests.web.trend_seeds import seed_points

SIZE, SLICES = 256, 40  # of the largest series
DESK, TABLET = {"width": 1280, "height": 800}, {"width": 820, "height": 1180}
SENT = ("ct-localizer", "ct-noise", "ct-motion", "mr-motion", "mr-brain", "ct-abdomen", "mr-noise", "ct-missing")
HELD = "mr-noise"
PASSWORD = "correct horse battery"


def main() -> None:
    """Start, send, wait, look."""
    parser = argparse.ArgumentParser(description="take the pictures of docs/ from a running node")
    parser.add_argument("target", type=Path)
    target: Path = parser.parse_args().target
    with tempfile.TemporaryDirectory(prefix="qagate-pictures-") as name, dcmtk.StoreScp(Path(name) / "pacs") as pacs:
        node = ServedNode(
            Path(name) / "node",
            destinations=[{"name": "PACS", "ae_title": "DCMTKSCP", "host": "127.0.0.1", "port": pacs.port,
                           "originals": True, "sent_is_kept": True}],
            sections={
                "policies": [
                    {"name": "gate", "match": {"ae_title": ["MRGATE"]}, "action": "hold", "hold_seconds": 1800},
                    {"name": "default"},
                ],
                "people": {"anonymous_role": None},
            },
        )  # fmt: skip
        with node:
            database = node.database()
            seed_points(database, 5000)
            uids = send(node, database, Path(name) / "scans")
            look(node, uids, target)
            database.close()


def send(node: ServedNode, database: Database, folder: Path) -> dict[str, str]:
    """Send the series, wait until all are judged, and return name → Series Instance UID."""
    found = {one.name: one for one in samples(folder, size=SIZE, slices=SLICES) if one.name in SENT}
    uids = {name: found[name].series_instance_uid for name in SENT if name in found}
    for name in uids:
        calling = "MRGATE" if name == HELD else "MR1" if name.startswith("mr") else "CT2"
        sent = dcmtk.dcmsend(found[name].paths, port=node.port, calling=calling)
        assert sent.returncode == 0, sent.output

    def judged() -> bool:
        with database.read() as session:
            rows = session.scalars(select(SeriesRow).where(SeriesRow.series_instance_uid.in_(uids.values()))).all()
            return len(rows) == len(uids) and all(row.outcome for row in rows)

    node.wait(judged, 600, "all series to be judged")
    return uids


def look(node: ServedNode, uids: dict[str, str], target: Path) -> None:
    """Take all pictures."""
    url = f"http://127.0.0.1:{node.web_port}"
    with chromium.launched() as browser:
        page = browser.new_context(viewport=DESK, color_scheme="dark").new_page()
        found = re.search(r"give this token: (\S+)", node.log_path.read_text())
        assert found, node.log()
        page.goto(f"{url}/setup")
        for text in (found.group(1), "ada", PASSWORD, PASSWORD):
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/")
        page.goto(f"{url}/")
        page.keyboard.press("j")
        take(page, target, "worklist", tablet=True)
        page.goto(f"{url}/series/{uids[HELD]}")
        page.wait_for_selector("#viewer[data-ready=true]")
        page.keyboard.press("h")  # where quality is low
        take(page, target, "series", tablet=True)
        page.goto(f"{url}/trends")
        page.wait_for_selector(".plot[data-drawn]")
        take(page, target, "trends")
        page.goto(f"{url}/trends?scanner=CT2&protocol=Abdomen+venous")
        page.wait_for_selector(".plot[data-drawn]")
        take(page, target, "trend")
        page.goto(f"{url}/limits?flags_a_day=4&below=70")
        take(page, target, "limits")
        page.goto(f"{url}/deliveries")
        take(page, target, "deliveries")
        page.goto(f"{url}/room/CT2")
        take(page, target, "room")
        page.goto(f"{url}/people")
        take(page, target, "people")


def take(page: Page, target: Path, name: str, *, tablet: bool = False) -> None:
    """Keep a page in both themes; on a tablet in the light one."""
    for theme in ("dark", "light"):
        if page.evaluate("document.documentElement.dataset.theme") != theme and page.locator("#theme").count():
            page.click("#theme")
            page.mouse.move(2, 2)
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")  # the room page has no button
        page.wait_for_timeout(600)
        page.screenshot(path=target / f"{name}{'' if theme == 'dark' else '-light'}.png")
    if tablet:
        page.set_viewport_size(TABLET)
        page.wait_for_timeout(600)
        page.screenshot(path=target / f"{name}-tablet.png")
        page.set_viewport_size(DESK)
    page.evaluate("localStorage.setItem('theme', 'dark')")  # for the next page


if __name__ == "__main__":
    main()
