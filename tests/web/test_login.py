"""Coming in by a real browser: the first admin, another person, a token, what was done, and out again."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from qagate.domain.person import Role
from qagate.store import invitations, logins, people
from tests.unit.web.people import add
from tests.web.seeds import Seed

pytestmark = pytest.mark.peers

PASSWORD = "correct horse battery"
PICTURES = os.environ.get("QAGATE_PICTURES")
"""Where pictures of the pages go for a person to look at; nowhere when not set."""


def picture(page, name: str) -> None:
    """Keep the page in both themes."""
    for theme in ("dark", "light") if PICTURES else ():
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.screenshot(path=Path(PICTURES or "") / f"{name}-{theme}.png")


@pytest.mark.parametrize("served", [None], indirect=True)
def test_from_the_first_admin_to_the_audit_trail(served, page):
    uid = served.add(Seed("look", "review", 41.0))
    with served.database.begin() as session:
        token = invitations.invite(session, None, by="console", at=datetime.now(UTC))

    page.goto(f"{served.url}/series/{uid}?volume=0")  # as a link in a report
    page.wait_for_url("**/login?next=*")
    picture(page, "login-first")
    page.get_by_role("link", name="set up the first admin").click()
    page.get_by_label("Token").fill(token)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill("something else")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("alert")).to_contain_text("The two passwords differ")
    picture(page, "setup")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/")
    assert page.locator("tr[data-uid]").count() == 1
    picture(page, "worklist")

    page.get_by_role("link", name="People").click()
    page.locator("form.filters input[name=name]").fill("bob")
    page.get_by_role("button", name="Add").click()
    invited = page.locator(".secret").inner_text()
    assert len(invited) == 43
    picture(page, "people")
    page.get_by_role("link", name="Tokens").click()
    page.locator("form.filters input[name=name]").fill("lab")
    page.get_by_role("button", name="Make a token").click()
    assert page.locator(".secret").inner_text().startswith("qg_")
    picture(page, "tokens")
    page.get_by_role("link", name="ada", exact=True).click()
    picture(page, "me")
    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_url("**/login")

    page.goto(f"{served.url}/setup")
    page.get_by_label("Token").fill(invited)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/")
    assert page.get_by_role("link", name="People").count() == 0
    page.goto(f"{served.url}/people")
    expect(page.locator("main")).to_contain_text("needs the right to administer")
    picture(page, "refused")
    page.goto(f"{served.url}/series/{uid}")
    page.get_by_role("button", name="Log out", exact=True).click()

    page.goto(f"{served.url}/audit?what=series_viewed")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Name or password is not right")
    picture(page, "login-wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit?what=series_viewed")
    expect(page.locator("tbody tr")).to_contain_text(["bob"])
    page.goto(f"{served.url}/audit")
    assert page.locator("tbody tr").count() > 8
    picture(page, "audit")
    page.set_viewport_size({"width": 768, "height": 1024})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(page, "audit-tablet")


@pytest.mark.parametrize("served", [None], indirect=True)
def test_whose_login_ended_is_told_so_and_finds_the_way_back(served, page):
    served.add(Seed("look", "review", 41.0))
    add(served.database, "ada", Role.ADMIN)
    page.goto(f"{served.url}/?modality=CT")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/?modality=CT")
    page.keyboard.press("j")
    with served.database.begin() as session:
        logins.close_all(session, people.get(session, "ada"), by="ada", at=datetime.now(UTC))
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("You are logged out; nothing was changed")
    expect(page.get_by_role("link", name="You are logged out")).to_have_attribute(
        "href", "/login?next=%2F%3Fmodality%3DCT"
    )
    with page.context.expect_page() as opened:  # in a window of its own: nothing that was written or selected is lost
        page.locator("#toast").get_by_role("link", name="Log in").click()
    opened.value.get_by_label("Name").fill("ada")
    opened.value.get_by_label("Password").fill(PASSWORD)
    opened.value.keyboard.press("Enter")
    opened.value.wait_for_url(f"{served.url}/")
    opened.value.close()
    page.locator(f"tr[data-uid='{Seed('look').uid}'] .what a").focus()
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("Agreed")
    expect(page.locator("#link")).to_be_empty()


def test_a_node_that_is_open_to_everybody_says_so(served, page):
    page.goto(served.url)
    expect(page.locator(".open")).to_have_text("open to everybody as admin")
