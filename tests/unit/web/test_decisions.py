"""Deciding over the API: what is kept, what is refused, what two people see, and where it is shown."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from qagate.domain.person import Person, Role
from qagate.store import audit, holding, limits
from qagate.train.pictures import pictures, read_index
from qagate.web import access
from qagate.work import labels
from tests.unit.web.conftest import configured, make_site
from tests.web.seeds import Seed, judge, late_image, seed

LOOK = Seed("look", "review", 41.0, reasons=("Noise 24 HU",), minutes=3, images=True)
GOOD = Seed("good", "accept", 86.0, minutes=4)
OPEN = Seed("open", "", minutes=1)


@pytest.fixture
def desk(tmp_path):
    """A site with one flagged, one good and one series still arriving."""
    yield from make_site(tmp_path, LOOK, GOOD, OPEN)


def post(site, uid, kind, version, code=201, **more):
    answer = site.client.post(f"/api/v1/series/{uid}/decisions", json={"kind": kind, "version": version, **more})
    assert answer.status_code == code, answer.text
    return answer.json()


@pytest.fixture
def asks_as(monkeypatch):
    """Let the next requests be another person's."""

    def become(name, role=Role.REVIEWER):
        caller = access.Caller(Person(name, role), "anonymous")
        monkeypatch.setattr(access, "_anonymous", lambda request: caller)

    return become


def test_a_decision_is_kept_with_what_it_was_about(desk):
    before = desk.json(f"/api/v1/series/{LOOK.uid}/decisions")
    assert (before["state"], before["version"], before["decisions"]) == ("open", 1, [])
    now = post(desk, LOOK.uid, "agree", 1, note="as said")
    one = now["decisions"][0]
    assert (now["state"], now["version"], now["taken"]) == ("agreed", 2, one["id"])
    assert (one["revision"], one["verdict"], one["score"], one["quality"]) == (1, "review", 41.0, "limited")
    assert one["model"] == "qagate-test 1.0.0 000000000000"
    assert one["policy"].startswith("default")
    with desk.database.read() as session:
        assert [(a.who, a.what) for a in audit.listing(session, audit.Search(series_instance_uid=LOOK.uid))] == [
            ("anonymous", "decided_agree")
        ]
    assert "decided" in [event["what"] for event in desk.json(f"/api/v1/series/{LOOK.uid}")["events"]]


def test_two_people_who_opened_the_same_series(desk, asks_as):
    asks_as("anna")
    post(desk, LOOK.uid, "agree", 1)
    asks_as("bert")
    told = post(desk, LOOK.uid, "disagree", 1, 409, reason="good_enough")["detail"]
    assert "anna decided: agree" in told
    assert told.endswith("got version 1, now 2")
    assert desk.json(f"/api/v1/series/{LOOK.uid}/decisions")["state"] == "agreed"


def test_undo_is_a_new_row_and_has_its_time(desk, asks_as):
    number = post(desk, LOOK.uid, "agree", 1)["taken"]
    asks_as("bert")
    address = f"/api/v1/series/{LOOK.uid}/decisions/{number}"
    assert "only who decided" in desk.client.delete(address).json()["detail"]
    asks_as("anonymous")
    answer = desk.client.delete(address)
    assert answer.status_code == 200
    now = answer.json()
    assert now["state"] == "open"
    assert [(d["kind"], d["undone"], d["undoes"]) for d in now["decisions"]] == [
        ("agree", True, None), ("undo", False, number),
    ]  # fmt: skip
    assert desk.client.delete(address).status_code == 409  # once is enough
    assert desk.client.delete(f"{address}9").status_code == 404
    configured(desk, undo_minutes=0)
    late = post(desk, LOOK.uid, "agree", 3)["taken"]
    answer = desk.client.delete(f"/api/v1/series/{LOOK.uid}/decisions/{late}")
    assert answer.status_code == 409
    assert "decide anew" in answer.json()["detail"]


def test_a_rejection_waits_for_a_second_person(desk, asks_as):
    configured(desk, two_person_rejection=True)
    asks_as("anna")
    assert post(desk, LOOK.uid, "reject", 1, reason="motion_blur")["state"] == "proposed"
    assert post(desk, LOOK.uid, "reject", 2, reason="motion_blur")["state"] == "proposed"
    with desk.database.read() as session:
        assert holding.get(session, LOOK.uid) is None  # nothing was kept back yet
    asks_as("bert")
    now = post(desk, LOOK.uid, "reject", 3, reason="artifact")
    assert now["state"] == "rejected"
    with desk.database.read() as session:
        row = holding.get(session, LOOK.uid)
        assert (row.state, row.decided_by, row.rejection_code) == ("rejected", "bert", "artifact")
    desk.client.delete(f"/api/v1/series/{LOOK.uid}/decisions/{now['taken']}")
    with desk.database.read() as session:
        assert holding.get(session, LOOK.uid).state == "released"  # when in doubt, images go


def images(site, uid):
    """What holds of the images of a series: state, how often it was rejected, by whom last, and why."""
    with site.database.read() as session:
        row = holding.get(session, uid)
        return row and (row.state, row.rejections, row.decided_by, row.rejection_code)


def test_what_was_released_can_be_rejected_again(desk, asks_as):
    """Nothing came of it: the series had never ceased to be rejected."""
    asks_as("anna")
    assert post(desk, LOOK.uid, "reject", 1, reason="motion_blur")["state"] == "rejected"
    asks_as("bert")
    assert post(desk, LOOK.uid, "release", 2)["state"] == "open"
    assert images(desk, LOOK.uid)[:2] == ("released", 1)
    assert post(desk, LOOK.uid, "reject", 3, reason="artifact")["state"] == "rejected"
    assert images(desk, LOOK.uid) == ("rejected", 2, "bert", "artifact")


def test_a_release_is_no_opinion_on_the_images(desk, asks_as):
    """Had to be read all the same: the label stays what the one who rejected said, until they say something else."""
    asks_as("anna")
    post(desk, LOOK.uid, "reject", 1, reason="motion_blur")
    asks_as("bert")
    post(desk, LOOK.uid, "release", 2)
    with desk.database.read() as session:
        assert [one.score for one in labels.labels(session)] == [0.0]
    assert "Rejected, then let go" in desk.page(f"/series/{LOOK.uid}")
    asks_as("anna", Role.ADMIN)
    post(desk, LOOK.uid, "disagree", 3, reason="good_enough")
    with desk.database.read() as session:
        assert [one.score for one in labels.labels(session)] == [100.0]
    assert "Rejected, then let go" not in desk.page(f"/series/{LOOK.uid}")


def test_after_a_release_a_rejection_takes_two_people_anew(desk, asks_as):
    configured(desk, two_person_rejection=True)
    for version, (person, kind, state) in enumerate(
        (("anna", "reject", "proposed"), ("bert", "reject", "rejected"), ("carl", "release", "open"),
         ("anna", "reject", "proposed"), ("anna", "reject", "proposed")), 1,
    ):  # fmt: skip
        asks_as(person)
        why = {"reason": "motion_blur"} if kind == "reject" else {}
        assert post(desk, LOOK.uid, kind, version, **why)["state"] == state
    assert images(desk, LOOK.uid)[:2] == ("released", 1)
    asks_as("bert")
    assert post(desk, LOOK.uid, "reject", 6, reason="artifact")["state"] == "rejected"
    assert images(desk, LOOK.uid) == ("rejected", 2, "bert", "artifact")


def test_a_rejection_that_stands_again_is_its_own_persons(desk, asks_as):
    """Who took their own opinion back was called who rejected, and the reason was lost."""
    asks_as("anna")
    post(desk, LOOK.uid, "reject", 1, reason="motion_blur")
    asks_as("bert")
    agreed = post(desk, LOOK.uid, "agree", 2)
    assert (agreed["state"], images(desk, LOOK.uid)[0]) == ("agreed", "released")
    desk.client.delete(f"/api/v1/series/{LOOK.uid}/decisions/{agreed['taken']}")
    assert images(desk, LOOK.uid) == ("rejected", 2, "anna", "motion_blur")


def test_images_that_wait_for_a_verdict_can_be_released_and_who_did_is_kept(desk):
    at = datetime.now(UTC)
    with desk.database.begin() as session:
        holding.hold(session, OPEN.uid, policy="p", at=at, until=at + timedelta(minutes=5))
    assert 'data-do="release"' in desk.page(f"/series/{OPEN.uid}")
    now = post(desk, OPEN.uid, "release", 0, note="theatre waits")
    assert images(desk, OPEN.uid)[0] == "released"
    assert [(d["kind"], d["person"], d["note"], d["verdict"], d["revision"]) for d in now["decisions"]] == [
        ("release", "anonymous", "theatre waits", None, 0)
    ]
    assert (now["state"], now["version"], now["revision"]) == ("", 0, None)
    assert "theatre waits" in desk.page(f"/series/{OPEN.uid}")
    assert next(iter(csv.DictReader(io.StringIO(desk.page("/api/v1/decisions.csv")))))["verdict"] == ""
    post(desk, OPEN.uid, "agree", 0, 422)
    post(desk, OPEN.uid, "reject", 0, reason="motion_blur")
    assert images(desk, OPEN.uid) == ("rejected", 1, "anonymous", "motion_blur")
    assert desk.json("/api/v1/agreement")["everything"]["pairs"] == 0  # nobody said anything of a verdict
    undone = desk.client.delete(f"/api/v1/series/{OPEN.uid}/decisions/{now['taken']}")
    assert (undone.status_code, "cannot be taken back" in undone.text) == (409, True)


def test_a_rejection_before_there_is_a_verdict_is_told_where_it_stands(desk, asks_as):
    """The answer, which says that `proposed` is one that a second person must confirm, was empty; so was the page."""
    configured(desk, two_person_rejection=True)
    at = datetime.now(UTC)
    with desk.database.begin() as session:
        holding.hold(session, OPEN.uid, policy="p", at=at, until=at + timedelta(minutes=5))
    address = f"/api/v1/series/{OPEN.uid}/reject"
    for who, stands, where in (("anna", "proposed", "held"), ("bert", "rejected", "rejected")):
        asks_as(who)
        told = desk.client.post(address, json={"code": "motion_blur"}).json()
        assert (told["review"], told["holding"]) == (stands, where)
        assert desk.json(f"/api/v1/series/{OPEN.uid}/decisions")["state"] == stands
        if stands == "proposed":
            assert "A second, different person must confirm" in desk.page(f"/series/{OPEN.uid}")


def test_release_of_what_is_held(desk):
    post(desk, LOOK.uid, "release", 1, 422)  # it does not wait
    at = datetime.now(UTC)
    with desk.database.begin() as session:
        holding.hold(session, LOOK.uid, policy="p", at=at, until=at + timedelta(minutes=5))
    now = post(desk, LOOK.uid, "release", 1)
    assert (now["state"], now["decisions"][0]["kind"]) == ("open", "release")  # whether the verdict is right is open
    assert desk.json(f"/api/v1/series/{LOOK.uid}")["holding"] == "released"
    assert desk.client.delete(f"/api/v1/series/{LOOK.uid}/decisions/{now['taken']}").status_code == 409


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("look", {"kind": "disagree", "version": 1}, 422),  # no reason
        ("look", {"kind": "agree", "version": -1}, 422),
        ("look", {"kind": "undo", "version": 1}, 422),
        ("look", {"kind": "note", "version": 1, "note": "a\x00b"}, 422),
        ("open", {"kind": "agree", "version": 0}, 422),  # no verdict yet
        ("nobody", {"kind": "agree", "version": 0}, 404),
    ],
)
def test_what_is_refused(desk, name, body, code):
    answer = desk.client.post(f"/api/v1/series/{Seed(name).uid}/decisions", json=body)
    assert answer.status_code == code
    assert desk.json(f"/api/v1/series/{LOOK.uid}/decisions")["version"] == 1


def test_a_good_series_can_be_decided_about_although_nobody_was_asked(desk):
    assert post(desk, GOOD.uid, "disagree", 0, reason="under_exposed")["state"] == "disagreed"
    assert post(desk, GOOD.uid, "agree", 1)["state"] == "agreed"


def test_the_to_do_list_holds_what_waits(desk):
    assert [s["series_instance_uid"] for s in desk.json("/api/v1/series?verdict=todo")["series"]] == [LOOK.uid]
    assert 'data-tab="todo"' in desk.page("/?verdict=todo")
    post(desk, LOOK.uid, "agree", 1)
    assert desk.json("/api/v1/series?verdict=todo")["total"] == 0
    assert "agreed" in desk.page("/rows")


def test_a_new_revision_asks_anew(desk):
    post(desk, LOOK.uid, "agree", 1)
    revision_id = late_image(desk.database, LOOK)
    judge(desk.database, desk.settings, LOOK, revision_id, 2, datetime.now(UTC))
    now = desk.json(f"/api/v1/series/{LOOK.uid}/decisions")
    assert (now["state"], now["revision"], now["version"], len(now["decisions"])) == ("open", 2, 3, 1)
    assert "revision 2, Look" in post(desk, LOOK.uid, "agree", 2, 409)["detail"]


def test_a_hidden_verdict_is_nowhere_on_the_pages_until_it_is_decided(desk):
    hidden = Seed("blind", "accept", 91.0, minutes=2, accession="ACC0009999", protocol="Other")
    configured(desk, blind_accepted=1.0)
    seed(desk.database, desk.settings, hidden, blind=1.0)
    for address in ("/", "/rows?verdict=todo", f"/series/{hidden.uid}"):
        page = desk.page(address)
        assert "Hidden" in page
        assert not re.search(r">91<|score 91|Meets this site", page)
    assert hidden.uid not in desk.page("/?verdict=accept")
    assert "is hidden" in post(desk, hidden.uid, "agree", 1, 422)["detail"]
    now = post(desk, hidden.uid, "grade", 1, quality="limited")
    assert (now["state"], now["hidden"], now["decisions"][0]["blind"]) == ("disagreed", False, True)
    assert "Hidden" not in desk.page(f"/series/{hidden.uid}")


def test_labels_come_home(desk, tmp_path):
    post(desk, LOOK.uid, "disagree", 1, reason="good_enough")
    answer = desk.client.get("/api/v1/labels.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["score"], r["modality"], r["organ"]) for r in rows] == [("100", "CT", "abdomen")]
    index = tmp_path / "labels.csv"
    index.write_text(answer.text, encoding="utf-8")
    usable, problems = read_index(index)
    assert problems == []
    found = list(pictures(usable, problems))
    assert (found[0].volume.voxels.shape, found[0].prompt.regions, problems) == ((12, 64, 64), ("abdomen",), [])
    number, gone = labels.export(desk.settings, desk.database, tmp_path / "out")
    assert (number, gone) == (1, [])
    assert len(read_index(tmp_path / "out" / "labels.csv")[0]) == 1
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 1


def test_labels_say_what_is_gone(desk, tmp_path):
    post(desk, GOOD.uid, "agree", 0)  # its images were never there
    number, gone = labels.export(desk.settings, desk.database, tmp_path / "out")
    assert number == 0
    assert gone == [f"the images of series {GOOD.uid} are no longer here"]


def test_every_decision_is_in_the_record(desk):
    number = post(desk, LOOK.uid, "agree", 1, note="=1+1")["taken"]
    desk.client.delete(f"/api/v1/series/{LOOK.uid}/decisions/{number}")
    rows = list(csv.DictReader(io.StringIO(desk.client.get("/api/v1/decisions.csv").text)))
    assert [(r["kind"], r["note"], r["undone"]) for r in rows] == [("agree", "'=1+1", "True"), ("undo", "", "False")]


def test_agreement_is_silent_about_few(desk):
    post(desk, LOOK.uid, "agree", 1)
    found = desk.json("/api/v1/agreement")
    assert found["everything"]["pairs"] == 1
    assert found["everything"]["same"] is None
    assert found["protocols"][0]["protocol"] == "Abdomen venous"


def test_agreement_of_enough(tmp_path, asks_as):
    seeds = [Seed(f"s{i}", "review", 40.0 + i / 10, minutes=i + 1) for i in range(24)]
    for site in make_site(tmp_path, *seeds):
        for i, one in enumerate(seeds):
            for version, who in enumerate(("anna", "bert"), 1):
                asks_as(who)
                wrong = (i % 4 == 0 and who == "bert") or i % 3 == 0
                more = {"kind": "disagree", "reason": "not_there"} if wrong else {"kind": "agree"}
                post(site, one.uid, more.pop("kind"), version, **more)
        found = site.json("/api/v1/agreement")["everything"]
        assert found["pairs"] == 48
        assert found["same"]["value"] == round((48 - 8 - 12) / 48, 3)  # anna 8 of 24, bert 8 and 4 more
        assert found["kappa_between_people"]["count"] == 24
        assert found["kappa_with_model"]["value"] == 0.0  # the verdict never varies: no better than chance


def test_who_takes_a_blind_opinion_back_has_seen_the_verdict(tmp_path, asks_as):
    one = Seed("one", "accept", 80.0)
    for site in make_site(tmp_path):
        configured(site, blind_accepted=1.0)
        seed(site.database, site.settings, one, blind=1.0)
        for version, who in ((1, "anna"), (3, "bert"), (5, "anna")):
            asks_as(who)
            number = post(site, one.uid, "grade", version, quality="limited")["taken"]
            if version < 5:
                answer = site.client.delete(f"/api/v1/series/{one.uid}/decisions/{number}")
                assert answer.json()["hidden"] is True
        said = [d for d in site.json(f"/api/v1/series/{one.uid}/decisions")["decisions"] if d["kind"] == "grade"]
        assert [(d["person"], d["blind"]) for d in said] == [("anna", True), ("bert", True), ("anna", False)]


def test_what_was_said_blind_is_counted_whatever_is_said_afterwards(tmp_path):
    """Twenty good verdicts are called limited; then they are shown, and somebody follows half of them."""
    seeds = [Seed(f"s{i}", "accept", 80.0, minutes=i + 1) for i in range(20)]
    for site in make_site(tmp_path):
        configured(site, blind_accepted=1.0)
        for i, one in enumerate(seeds):
            seed(site.database, site.settings, one, blind=1.0)
            post(site, one.uid, "grade", 1, quality="limited")
            if i % 2:
                post(site, one.uid, "agree", 2)
        found = site.json("/api/v1/agreement")["everything"]
        assert (found["missed"]["value"], found["missed_of"]) == (1.0, 20)
        assert (found["same"]["value"], found["pairs"]) == (0.5, 20)  # what stands in the end


def test_limits_are_tried_set_and_taken_back(tmp_path):
    seeds = [Seed(f"s{i}", "accept", 51.5 + i, minutes=i + 1) for i in range(40)]
    for site in make_site(tmp_path, *seeds):
        found = site.json("/api/v1/limits?below=60&flags_a_day=0.1")
        one = found["protocols"][0]
        assert (one["protocol"], one["series"], one["limit"], one["set_by"]) == ("Abdomen venous", 40, 50, "settings")
        assert (one["now"]["flagged"], one["tried"]["flagged"]) == (0, 9)  # 51.5 to 59.5
        assert (one["proposed"]["limit"], one["proposed"]["flagged"]) == (60, 9)  # 0.1 a day for 90 days
        wanted = {"modality": "CT", "protocol": "Abdomen venous", "review_below": 60}
        made = site.client.post("/api/v1/limits", json=wanted)
        assert made.status_code == 201
        assert made.json()["basis"].startswith("of 40 series in 90 days it flags 9, before 0;")
        assert site.json("/api/v1/limits")["protocols"][0]["site_limit"] == made.json()["id"]
        with site.database.read() as session:
            assert [one.review_below for one in limits.standing(session)] == [60]
        assert "it flags 9, before 0" in site.page("/limits?below=60&flags_a_day=2")
        address = f"/api/v1/limits/{made.json()['id']}"
        assert site.client.delete(address).status_code == 200
        assert site.client.delete(address).status_code == 409
        assert site.client.delete("/api/v1/limits/99").status_code == 404
        assert site.json("/api/v1/limits")["protocols"][0]["set_by"] == "settings"
        assert [row["undoes"] for row in site.json("/api/v1/limits/history")] == [made.json()["id"], None]


@pytest.mark.parametrize("query", ["flags_a_day=&below=60", "flags_a_day=2&below=", "flags_a_day=&below="])
def test_the_form_of_limits_may_have_empty_fields(empty_site, query):
    """A browser sends the field that nobody filled in as an empty one."""
    assert "No scored series" in empty_site.page(f"/limits?{query}")


def test_nobody_is_offered_what_is_refused(desk, asks_as):
    asks_as("anna")
    post(desk, LOOK.uid, "agree", 1)
    for who, role, offered in (
        ("anna", Role.REVIEWER, True),
        ("anna", Role.VIEWER, False),
        ("bert", Role.REVIEWER, False),
        ("ada", Role.ADMIN, True),
    ):
        asks_as(who, role)
        assert ("data-undo=" in desk.page(f"/series/{LOOK.uid}")) is offered, who
        assert ("labels.csv" in desk.page("/limits")) is (role is Role.ADMIN)


def test_limits_page_without_series(empty_site):
    assert "No scored series" in empty_site.page("/limits")
