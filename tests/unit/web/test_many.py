"""Deciding about many series at once over the API: one decision each, and a refusal for each that got none."""

from __future__ import annotations

import pytest

from qagate.errors import StoreError
from qagate.store import decisions
from qagate.web import many
from tests.unit.web.conftest import configured, make_site
from tests.web.seeds import Seed, seed

FLAGGED = tuple(Seed(f"look{i}", "review", 41.0, reasons=("Noise 24 HU",), minutes=3 + i) for i in range(3))
BLIND = Seed("blind", "review", 30.0, minutes=2)


@pytest.fixture
def desk(tmp_path):
    """A site with three flagged series."""
    yield from make_site(tmp_path, *FLAGGED)


def post(site, kind, *series, code=200, **more):
    named = [{"series_instance_uid": one.uid, "version": version} for one, version in series]
    answer = site.client.post("/api/v1/decisions", json={"kind": kind, "series": named, **more})
    assert answer.status_code == code, answer.text
    return answer.json()


def said(site, one):
    with site.database.read() as session:
        return [(d.person, str(d.kind), d.reason, d.note) for d in decisions.listed(session, one.uid)]


def test_each_gets_its_own_decision_and_its_own_refusal(desk):
    configured(desk, blind_flagged=1.0)
    seed(desk.database, desk.settings, BLIND, blind=1.0)
    stale, nobody = 7, Seed("nobody")
    told = post(
        desk, "reject", (FLAGGED[0], 1), (FLAGGED[1], stale), (BLIND, 1), (nobody, 0), (FLAGGED[2], 1),
        reason="motion_blur", note="wrong threshold",
    )  # fmt: skip
    assert [(one["series_instance_uid"], one["version"], one["state"]) for one in told["taken"]] == [
        (FLAGGED[0].uid, 2, "rejected"),
        (FLAGGED[2].uid, 2, "rejected"),
    ]
    refused = {one["series_instance_uid"]: (one["status"], one["detail"]) for one in told["refused"]}
    assert refused[FLAGGED[1].uid][0] == 409
    assert "changed since you looked" in refused[FLAGGED[1].uid][1]
    assert refused[BLIND.uid][0] == 422
    assert "is hidden" in refused[BLIND.uid][1]
    assert refused[nobody.uid][0] == 404
    for one in (FLAGGED[0], FLAGGED[2]):
        assert said(desk, one) == [("anonymous", "reject", "motion_blur", "wrong threshold")]
    assert said(desk, FLAGGED[1]) == said(desk, BLIND) == []


def test_the_same_request_a_second_time_decides_nothing(desk):
    """The answer to the first one was lost on its way, and the person pressed again."""
    series = [(one, 1) for one in FLAGGED]
    assert len(post(desk, "agree", *series)["taken"]) == 3
    again = post(desk, "agree", *series)
    assert (again["taken"], [one["status"] for one in again["refused"]]) == ([], [409, 409, 409])
    assert [len(said(desk, one)) for one in FLAGGED] == [1, 1, 1]


def test_what_no_request_may_ask(desk):
    post(desk, "grade", (FLAGGED[0], 1), code=422)  # what is hidden is looked at one by one
    post(desk, "agree", code=422)
    post(desk, "agree", (FLAGGED[0], 1), (FLAGGED[0], 1), code=422)
    post(desk, "agree", *((Seed(f"s{i}"), 0) for i in range(many.MOST + 1)), code=422)
    assert said(desk, FLAGGED[0]) == []


def test_a_database_that_goes_away_leaves_what_was_decided_and_is_not_waited_for_again(desk, monkeypatch):
    calls = []
    take = many.take

    def falls(request, uid, *more, **named):
        calls.append(uid)
        if len(calls) == 2:
            raise StoreError("away")
        return take(request, uid, *more, **named)

    monkeypatch.setattr(many, "take", falls)
    told = post(desk, "agree", *((one, 1) for one in FLAGGED))
    assert [one["series_instance_uid"] for one in told["taken"]] == [FLAGGED[0].uid]
    assert [one["status"] for one in told["refused"]] == [503, 503]
    assert len(calls) == 2


def test_a_fault_at_one_leaves_it_told_what_became_of_the_others(desk, monkeypatch):
    """It was answered that nothing was changed, and those before it had been decided about."""
    take = many.take

    def stumbles(request, uid, *more, **named):
        if uid == FLAGGED[1].uid:
            raise KeyError("verdict")
        return take(request, uid, *more, **named)

    monkeypatch.setattr(many, "take", stumbles)
    told = post(desk, "agree", *((one, 1) for one in FLAGGED))
    assert [one["series_instance_uid"] for one in told["taken"]] == [FLAGGED[0].uid, FLAGGED[2].uid]
    assert [(one["status"], one["series_instance_uid"]) for one in told["refused"]] == [(500, FLAGGED[1].uid)]


@pytest.mark.parametrize("role", ["viewer"])
def test_who_only_looks_decides_about_nothing(tmp_path, role):
    for site in make_site(tmp_path, FLAGGED[0], anonymous_role=role):
        post(site, "agree", (FLAGGED[0], 1), code=403)
