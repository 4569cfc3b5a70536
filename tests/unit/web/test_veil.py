"""The blind sample: people find nothing of a hidden verdict at any address; a program with a token sees it."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from qagate.domain.holding import Cause
from qagate.domain.obstacle import Obstacle
from qagate.domain.person import Permission, Role
from qagate.store import holding, outbox
from qagate.store.tables import DeliveryRow
from tests.unit.web.conftest import configured, make_site
from tests.unit.web.people import add, token_of
from tests.web.seeds import Seed, seed

BLIND = Seed("blind", "accept", 91.0, minutes=2, accession="ACC0009999", protocol="Other")
FLAGGED = Seed("flagged", "review", 31.0, minutes=4, accession="ACC0009997", protocol="Other")
LOOK = Seed("look", "review", 33.0, minutes=5, accession="ACC0009996", protocol="Other")
PLAIN = Seed("plain", "accept", 88.0, minutes=3, accession="ACC0009998", protocol="Other")


@pytest.fixture
def asked(tmp_path):
    """A site with a series that is to be judged blind."""
    for site in make_site(tmp_path, PLAIN):
        configured(site, blind_accepted=1.0)
        seed(site.database, site.settings, BLIND, blind=1.0)
        add(site.database, "archive", Role.VIEWER)
        yield site


def test_people_are_not_told(asked):
    lines = {one["series_instance_uid"]: one for one in asked.json("/api/v1/series")["series"]}
    assert lines[BLIND.uid]["hidden"] is True
    assert lines[PLAIN.uid]["hidden"] is False
    assert [lines[BLIND.uid][name] for name in ("verdict", "word", "score", "interval", "reason")] == [None] * 4 + [""]
    assert lines[PLAIN.uid]["score"] == 88.0
    one = asked.json(f"/api/v1/series/{BLIND.uid}")
    assert (one["hidden"], one["verdict"], one["score"]) == (True, None, None)
    assert [revision["assessments"] for revision in one["revisions"]] == [[]]
    assert "accept" not in str(one["events"])


@pytest.mark.parametrize(
    ("address", "found"), [("?verdict=accept", {PLAIN}), ("?verdict=todo", {BLIND}), ("", {PLAIN, BLIND})]
)
def test_nor_by_what_it_is_found_under(asked, address, found):
    assert {one["series_instance_uid"] for one in asked.json(f"/api/v1/series{address}")["series"]} == {
        s.uid for s in found
    }
    lines = csv.DictReader(io.StringIO(asked.client.get(f"/api/v1/series.csv{address}").text))
    assert {(one["series_instance_uid"], one["hidden"]) for one in lines} == {(s.uid, str(s is BLIND)) for s in found}


def test_nor_by_the_document_that_only_flagged_series_have(asked):
    """Three documents are written and refused; a person sees two of them, wherever they are listed."""
    configured(asked, blind_flagged=1.0)
    seed(asked.database, asked.settings, FLAGGED, blind=1.0)
    with asked.database.begin() as session:
        for number in session.scalars(select(DeliveryRow.id)).all():
            outbox.failed(
                session, [number], detail="refused", obstacle=Obstacle.REFUSED, max_attempts=9, at=datetime.now(UTC)
            )
    one = asked.json(f"/api/v1/series/{FLAGGED.uid}")
    assert {said["kind"] for said in one["revisions"][0]["documents"]} == {"SR", "SC"}
    assert "KO" not in str(one["events"])
    assert "KO" not in asked.page(f"/series/{FLAGGED.uid}")
    listed = asked.json("/api/v1/deliveries")["undelivered"]
    assert {row["what"] for row in listed if row["series_instance_uid"] == FLAGGED.uid} == {"SR", "SC"}
    assert "<td>KO</td>" not in asked.page("/deliveries")
    headers = {"authorization": f"Bearer {token_of(asked.database, 'archive', Permission.READ)}"}
    assert "KO" in str(asked.client.get("/api/v1/deliveries", headers=headers).json())
    assert "KO" in str(asked.client.get(f"/api/v1/series/{FLAGGED.uid}", headers=headers).json())


@pytest.fixture
def both(asked):
    """The same site with a flagged series that is hidden, too."""
    configured(asked, blind_accepted=1.0, blind_flagged=1.0)
    seed(asked.database, asked.settings, FLAGGED, blind=1.0)
    return asked


def test_nor_by_its_place(both):
    """What is hidden stands in one block, whatever it is: were it sorted by its verdict, its place would tell."""
    seed(both.database, both.settings, LOOK)
    order = [one["series_instance_uid"] for one in both.json("/api/v1/series?order=flagged")["series"]]
    assert order == [LOOK.uid, BLIND.uid, FLAGGED.uid, PLAIN.uid]
    page = both.page("/rows?order=flagged")
    assert [page.index(uid) for uid in order] == sorted(page.index(uid) for uid in order)
    first, rest = (both.json(f"/api/v1/series?order=flagged&limit=2&offset={n}")["series"] for n in (0, 2))
    assert [one["series_instance_uid"] for one in (*first, *rest)] == order
    todo = both.json("/api/v1/series?order=flagged&verdict=todo")["series"]
    assert [one["series_instance_uid"] for one in todo] == [LOOK.uid, BLIND.uid, FLAGGED.uid]


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        (f"?text={FLAGGED.uid}", {"todo": 1, "": 1, "accept": 0, "review": 0}),
        ("", {"todo": 2, "": 3, "accept": 1, "review": 0}),
        ("?verdict=accept", {"todo": 2, "": 3, "accept": 1, "review": 0}),
    ],
)
def test_nor_by_a_count(both, query, counts):
    page = both.page(f"/rows{query}")
    told = re.findall(r'data-tab="(\w*)".*?<b>(\d+)</b>', page)
    assert {name: int(number) for name, number in told if name in counts} == counts


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("trends?days=30", lambda said: [(row["number"], row["score"]) for row in said["rows"]]),
        ("trend?days=30&scanner=CT2&protocol=Alone", lambda said: (said["number"], said["score"]["medians"])),
        ("trend?days=30&scanner=CT2&protocol=Alone", lambda said: [one["name"] for one in said["measures"]]),
        ("limits?below=50", lambda said: [(one["series"], one["tried"]["flagged"]) for one in said["protocols"]]),
        ("account", lambda said: (said["received"], said["accepted"], said["flagged"], said["pending"])),
        ("accounts?days=7", lambda said: [(day["received"], day["accepted"], day["flagged"]) for day in said]),
        ("accounts?days=7", lambda said: [source["pending"] for day in said for source in day["sources"].values()]),
    ],
    ids=["trends", "trend", "measures", "limits", "account", "accounts", "sources"],
)
def test_nor_by_a_figure_that_it_is_alone_in(tmp_path, address, told):
    """Whether the only series of a protocol is good or flagged makes no difference to what people are shown."""
    seen = []
    for outcome, score in (("accept", 91.0), ("review", 31.0)):
        for site in make_site(tmp_path / outcome):
            configured(site, blind_accepted=1.0, blind_flagged=1.0)
            add(site.database, "archive", Role.VIEWER)
            seed(site.database, site.settings, Seed("alone", outcome, score, minutes=2, protocol="Alone"), blind=1.0)
            headers = {"authorization": f"Bearer {token_of(site.database, 'archive', Permission.READ)}"}
            program = site.client.get(f"/api/v1/{address}", headers=headers).json()
            seen.append((told(site.json(f"/api/v1/{address}")), told(program)))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[0][0]  # a program is told


def test_nor_by_the_account_of_yesterday_or_the_figures_for_machines(both):
    assert 'qagate_series{where="flagged"} 0.0' in both.page("/metrics")
    assert 'qagate_series{where="pending"} 2.0' in both.page("/metrics")
    assert "1 to look at" not in both.page("/")


def test_nor_by_its_heatmap(both):
    assert "hidden" in both.json(f"/api/v1/series/{FLAGGED.uid}/heatmap/0.nii.gz", 404)["detail"]


def test_nor_by_what_an_archive_is_told(both):
    address = f"/api/v1/store-permission?series_instance_uid={FLAGGED.uid}"
    assert both.json(address)["reason"] == "nothing is held; no verdict yet"
    headers = {"authorization": f"Bearer {token_of(both.database, 'archive', Permission.READ)}"}
    assert both.client.get(address, headers=headers).json()["reason"] == "nothing is held; Look"


def test_nor_by_why_a_decision_is_refused_or_by_the_export_of_a_note(both):
    wish = {"kind": "note", "version": 9, "note": "seen"}
    address = f"/api/v1/series/{FLAGGED.uid}/decisions"
    assert "revision 1, hidden)" in both.client.post(address, json=wish).json()["detail"]
    assert both.client.post(address, json={**wish, "version": 1}).status_code == 201
    (line,) = csv.DictReader(io.StringIO(both.client.get("/api/v1/decisions.csv").text))
    assert (line["kind"], line["verdict"], line["score"]) == ("note", "", "")


def test_nor_by_why_its_images_went(asked):
    now = datetime.now(UTC)
    with asked.database.begin() as session:
        holding.hold(session, BLIND.uid, policy="gate", at=now, until=now)
        holding.let_go(session, BLIND.uid, Cause.ACCEPTED, at=now)
    one = asked.json(f"/api/v1/series/{BLIND.uid}")
    assert "good" not in str(one)
    assert "accept" not in str(one)
    assert one["images"]["held"]["state"] == "released"


def test_a_program_with_a_token_is_told(asked):
    headers = {"authorization": f"Bearer {token_of(asked.database, 'archive', Permission.READ)}"}
    listed = asked.client.get("/api/v1/series?verdict=accept", headers=headers).json()["series"]
    assert {one["series_instance_uid"]: one["score"] for one in listed} == {BLIND.uid: 91.0, PLAIN.uid: 88.0}
    one = asked.client.get(f"/api/v1/series/{BLIND.uid}", headers=headers).json()
    assert (one["hidden"], one["score"], len(one["revisions"][0]["assessments"])) == (True, 91.0, 1)
