"""The blind sample: people find nothing of a hidden verdict at any address; a program with a token sees it."""

from __future__ import annotations

import csv
import io

import pytest

from qagate.domain.person import Permission, Role
from tests.unit.web.conftest import configured, make_site
from tests.unit.web.people import add, token_of
from tests.web.seeds import Seed, seed

BLIND = Seed("blind", "accept", 91.0, minutes=2, accession="ACC0009999", protocol="Other")
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


def test_a_program_with_a_token_is_told(asked):
    headers = {"authorization": f"Bearer {token_of(asked.database, 'archive', Permission.READ)}"}
    listed = asked.client.get("/api/v1/series?verdict=accept", headers=headers).json()["series"]
    assert {one["series_instance_uid"]: one["score"] for one in listed} == {BLIND.uid: 91.0, PLAIN.uid: 88.0}
    one = asked.client.get(f"/api/v1/series/{BLIND.uid}", headers=headers).json()
    assert (one["hidden"], one["score"], len(one["revisions"][0]["assessments"])) == (True, 91.0, 1)
