"""Many at once in a real browser: hundreds flagged by a wrong limit, one reason, and nothing by accident."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from qagate.store import decisions, holding
from qagate.web.pages import PAGE_SIZE
from tests.web.seeds import Seed, seed

pytestmark = pytest.mark.peers

FLAGGED = tuple(Seed(f"look{i}", "review", 41.0, reasons=("Noise 24 HU",), minutes=3 + i) for i in range(3))
GOOD = Seed("good", "accept", 86.0, minutes=9)
BLIND = Seed("blind", "review", 30.0, minutes=2)


PATIENCE_MS = 30_000  # for fifty, on a busy machine


def said(served, one: Seed) -> list[tuple[str, str, str]]:
    with served.database.read() as session:
        return [(str(d.kind), d.reason, d.note) for d in decisions.listed(session, one.uid)]


def box(page, one: Seed):
    return page.locator(f"tr[data-uid='{one.uid}'] input[type=checkbox]")


def asked_about_all(served, page):
    """Return more flagged series than a page has, all of them selected, with the dialog that agrees with them open."""
    many = [Seed(f"many{i}", "review", 45.0, minutes=i + 1) for i in range(PAGE_SIZE + 5)]
    for one in many:
        served.add(one)
    page.goto(f"{served.url}/?verdict=review")
    page.keyboard.press("*")
    page.keyboard.press("*")
    expect(page.locator("#chosen-count")).to_contain_text(f"{len(many)} selected")
    page.keyboard.press("a")
    return many


def test_all_that_are_listed_also_on_other_pages(served, page):
    many = [Seed(f"many{i}", "review", 45.0, minutes=i + 1) for i in range(PAGE_SIZE + 5)]
    for one in (*many, GOOD):
        served.add(one)
    page.goto(f"{served.url}/?verdict=review")
    page.get_by_label("Select all of this page").check()
    expect(page.locator("#chosen-count")).to_have_text(f"{PAGE_SIZE} selected")
    page.get_by_role("button", name=f"Select all {len(many)} that are listed").click()
    expect(page.locator("#chosen-count")).to_have_text(f"{len(many)} selected, 5 of them not on this page")
    page.keyboard.press("d")
    expect(page.locator("#decide-about")).to_have_text(f"{len(many)} series: {len(many)} Look.")
    page.select_option("#decide select", "good_enough")
    page.locator("#decide textarea").fill("the limit was wrong")
    page.get_by_role("button", name=f"Disagree with {len(many)}").click()
    expect(page.locator("#toast")).to_contain_text(f"{len(many)} disagreed", timeout=PATIENCE_MS)
    assert {tuple(said(served, one)) for one in many} == {(("disagree", "good_enough", "the limit was wrong"),)}
    assert said(served, GOOD) == []
    expect(page.locator("#chosen")).to_be_hidden()
    page.keyboard.press("z")
    expect(page.locator("#toast")).to_contain_text("Taken back", timeout=PATIENCE_MS)
    assert {len(said(served, one)) for one in many} == {2}


def test_what_the_page_does_itself_is_no_change_by_others_and_can_be_stopped(served, page):
    """The list asked anew in the middle, and said that the first fifty had changed and were no longer selected."""
    many = asked_about_all(served, page)
    page.route("**/api/v1/decisions", lambda route: (time.sleep(4), route.continue_()))  # longer than between two lists
    page.get_by_role("button", name=f"Agree with {len(many)}").click()
    expect(page.locator("#toast")).to_contain_text(f"Agreeing with 50 of {len(many)} …", timeout=PATIENCE_MS)
    page.wait_for_timeout(3500)
    expect(page.locator("#toast")).to_contain_text(f"{len(many)} agreed", timeout=PATIENCE_MS)
    assert {tuple(said(served, one)) for one in many} == {(("agree", "", ""),)}


def test_what_was_stopped_is_told_and_stays_selected(served, page):
    many = asked_about_all(served, page)
    page.route("**/api/v1/decisions", lambda route: (time.sleep(1), route.continue_()))
    page.get_by_role("button", name=f"Agree with {len(many)}").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#undecided h2")).to_have_text(
        f"Nothing was decided about 5 of {len(many)} series", timeout=PATIENCE_MS
    )
    page.keyboard.press("Escape")
    expect(page.locator("#chosen-count")).to_contain_text("5 selected")
    assert sum(bool(said(served, one)) for one in many) == PAGE_SIZE


def test_many_are_rejected_only_when_a_person_says_so_of_all_of_them(served, page):
    for one in FLAGGED:
        served.add(one)
    page.goto(served.url)
    page.keyboard.press("j")
    page.keyboard.press("*")
    page.keyboard.press("r")
    page.select_option("#decide select", "motion_blur")
    page.keyboard.press("Enter")  # a reason alone rejects nothing
    expect(page.locator("#decide-problem")).to_have_text("Confirm that none of them is fit to be read.")
    assert [said(served, one) for one in FLAGGED] == [[], [], []]
    page.get_by_label("None of these 3 series is fit to be read.").check()
    page.get_by_role("button", name="Reject 3").click()
    expect(page.locator("#toast")).to_contain_text("3 rejected")
    assert [said(served, one) for one in FLAGGED] == [[("reject", "motion_blur", "")]] * 3


def test_each_about_which_nothing_was_decided_is_named(served, page):
    """Somebody decides about one of three while the dialog is open: of that one it is said why, and it alone stays."""
    for one in FLAGGED:
        served.add(one)
    page.goto(served.url)
    page.keyboard.press("*")
    page.route("**/rows*", lambda route: route.abort())  # the list is behind
    page.keyboard.press("r")
    page.request.post(f"{served.url}/api/v1/series/{FLAGGED[1].uid}/decisions", data={"kind": "agree", "version": 1})
    page.select_option("#decide select", "motion_blur")
    page.get_by_label("None of these").check()
    page.get_by_role("button", name="Reject 3").click()
    told = page.locator("#undecided")
    expect(told.locator("h2")).to_have_text("Nothing was decided about 1 of 3 series")
    expect(told).to_contain_text("This series changed since you looked (anonymous decided: agree")
    assert told.locator("a").get_attribute("href") == f"/series/{FLAGGED[1].uid}"
    assert [len(said(served, one)) for one in FLAGGED] == [1, 1, 1]
    page.keyboard.press("Escape")
    expect(page.locator("#toast")).to_contain_text("2 of 3 rejected")
    expect(page.locator("#chosen-count")).to_have_text("1 selected")


def test_one_that_changes_leaves_the_selection(served, page):
    """It would have been decided about with a verdict that nobody looked at."""
    for one in FLAGGED:
        served.add(one)
    page.goto(served.url)
    page.keyboard.press("*")
    expect(page.locator("#chosen-count")).to_have_text("3 selected")
    page.request.post(f"{served.url}/api/v1/series/{FLAGGED[1].uid}/decisions", data={"kind": "agree", "version": 1})
    expect(page.locator("#toast")).to_contain_text("1 of the selected changed meanwhile")
    expect(page.locator("#chosen-count")).to_have_text("2 selected")
    expect(box(page, FLAGGED[1])).not_to_be_checked()


def test_hidden_verdicts_are_left_out_and_only_what_is_held_is_let_go(served, page):
    for one in FLAGGED:
        served.add(one)
    seed(served.database, served.settings, BLIND, blind=1.0)
    at = datetime.now(UTC)
    with served.database.begin() as session:
        for one in (FLAGGED[0], BLIND):
            holding.hold(session, one.uid, policy="p", at=at, until=at + timedelta(minutes=5))
    page.goto(served.url)
    page.keyboard.press("*")
    page.keyboard.press("r")
    expect(page.locator("#decide-about")).to_have_text(
        "3 series: 3 Look. 1 with a hidden verdict, which are judged one by one, are left out."
    )
    page.keyboard.press("Escape")
    expect(page.locator("#decide")).to_be_hidden()  # until then keys are the dialog's
    page.keyboard.press("l")  # whether images wait is never hidden: somebody may have to let them go
    expect(page.locator("#decide-about")).to_contain_text("2 not held, are left out.")
    expect(page.locator("#decide-about")).to_contain_text("2 series: 1 Look, 1 Hidden.")
    page.get_by_role("button", name="Release 2").click()
    expect(page.locator("#toast")).to_contain_text("2 released")
    assert said(served, BLIND) == [("release", "", "")]
    assert said(served, FLAGGED[1]) == []


def test_when_nobody_answers_any_more_the_rest_stays_selected(served, page):
    for one in FLAGGED:
        served.add(one)
    page.goto(served.url)
    page.keyboard.press("*")
    page.route("**/api/v1/decisions", lambda route: route.abort())
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("0 of 3 agreed; qagate does not answer")
    expect(page.locator("#chosen-count")).to_have_text("3 selected")
    page.unroute("**/api/v1/decisions")
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("3 agreed")


def test_a_range_by_mouse(served, page):
    for one in FLAGGED:
        served.add(one)
    page.goto(served.url)
    box(page, FLAGGED[0]).click()
    box(page, FLAGGED[2]).click(modifiers=["Shift"])
    expect(page.locator("#chosen-count")).to_have_text("3 selected")
    box(page, FLAGGED[1]).click()
    expect(page.locator("#chosen-count")).to_have_text("2 selected")
    assert page.get_by_label("Select all of this page").evaluate("box => box.indeterminate")


@pytest.mark.parametrize("served", ["viewer"], indirect=True)
def test_who_may_not_decide_selects_nothing(served, page):
    served.add(FLAGGED[0])
    page.goto(served.url)
    assert page.locator("table input").count() == 0
    for key in ("j", "Space", "a", "r", "*"):
        page.keyboard.press(key)
    expect(page.locator("#decide")).to_be_hidden()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/series/{FLAGGED[0].uid}")
