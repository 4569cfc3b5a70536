from __future__ import annotations

import pytest

from qagate.settings import Settings
from qagate.store import neighbours, worklist
from qagate.store.database import Database
from tests.web.seeds import Seed, seed, settings_in


@pytest.fixture
def site(tmp_path):
    settings = settings_in(tmp_path)
    database = Database.open(settings.database_url)
    yield database, settings
    database.close()


def fill(site: tuple[Database, Settings], *seeds: Seed) -> None:
    for one in seeds:
        seed(*site, one)


def test_rank_and_usual_need_enough_others(site, monkeypatch):
    monkeypatch.setattr(neighbours, "ENOUGH", 5)
    others = [Seed(f"o{i}", score=60.0 + i, minutes=10 + i) for i in range(5)]
    fill(site, Seed("me", score=61.5), *others[:-1])
    with site[0].begin() as session:
        row = worklist.series(session, Seed("me").uid)
        assert neighbours.rank(session, row) is None
        assert neighbours.usual(session, row) == {}
    fill(site, others[-1])
    with site[0].begin() as session:
        # of 60, 61, 62, 63 and 64 three are above 61.5
        assert neighbours.rank(session, row) == neighbours.Rank(3, 5)
        assert neighbours.usual(session, row) == {  # all five are alike
            "noise_soft_tissue": neighbours.Usual(24.31, 24.31, 24.31, count=5),
            "mtf50": neighbours.Usual(0.541, 0.541, 0.541, count=5),
        }
        assert len(neighbours.alike(session, row)) == 5


def test_kin_is_the_same_protocol_on_the_same_scanner(site):
    fill(site, Seed("me"), Seed("b", station="CT1", minutes=9), Seed("c", protocol="Thorax", minutes=9),
         Seed("d", minutes=9), Seed("later", minutes=1))  # fmt: skip
    with site[0].begin() as session:
        row = worklist.series(session, Seed("me").uid)
        assert [r.series_instance_uid for r in neighbours.alike(session, row)] == [Seed("d").uid]
        assert len(neighbours.same_study(session, row)) == 4


def test_what_has_no_name_is_of_no_kind_and_without_a_station_the_sender_counts(site):
    nameless = {"protocol": "", "description": ""}
    fill(site, Seed("me", **nameless), Seed("b", **nameless, minutes=9))
    fill(site, Seed("here", minutes=1), Seed("same", minutes=9), Seed("other", minutes=9))
    with site[0].begin() as session:
        for name, sender in (("here", "A"), ("same", "A"), ("other", "B")):
            row = worklist.series(session, Seed(name).uid)
            row.station_name, row.calling_ae_title = "", sender
        session.flush()
        me, here = worklist.series(session, Seed("me").uid), worklist.series(session, Seed("here").uid)
        assert neighbours.alike(session, me) == []
        assert [row.series_instance_uid for row in neighbours.alike(session, here)] == [Seed("same").uid]


def test_speakers_are_of_the_latest_judged_revision(site):
    fill(site, Seed("a"), Seed("open", ""))
    with site[0].begin() as session:
        found = neighbours.speakers(session, [Seed("a").uid, Seed("open").uid])
        assert found == {Seed("a").uid: neighbours.Judged(1, 0)}
        assert neighbours.speakers(session, []) == {}


def test_state_of_things_changes_with_images_and_with_events(site):
    states = []
    for one in (None, Seed("a", ""), Seed("b")):
        if one:
            fill(site, one)
        with site[0].begin() as session:
            states.append(neighbours.state_of_things(session))
    assert len(set(states)) == 3
