"""Letting everything go that is held."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from qagate.domain.decision import Kind, Wish
from qagate.store import decisions, holding, reception, releasing
from qagate.store.routing import Route, Routing
from qagate.store.tables import AuditRow, EventRow, ForwardRow
from tests.unit.store.conftest import T0

TO = Routing((Route("PACS", "PACS"),), holds=True)
LATER = T0 + timedelta(minutes=2)
UIDS = ("1.2.3", "1.2.4", "1.2.5")


@pytest.fixture
def held(database, instance):
    """Three series that are held, and one that a person rejected."""
    with database.begin() as session:
        for uid in (*UIDS, "1.2.6"):
            reception.register(session, [instance(1, series=uid)], TO)
            holding.hold(session, uid, policy="gate", at=T0, until=T0 + timedelta(hours=1))
        holding.reject(session, "1.2.6", by="ann", reason="", at=T0)
    return database


def release(database, **more):
    return releasing.release_everything(database, by="ben", reason="fire", at=LATER, two_person=True, **more)


def test_each_series_that_was_held_has_a_decision_of_who_and_why(held, monkeypatch):
    """Only one line of the audit trail said that so many series had gone, and not which."""
    monkeypatch.setattr(releasing, "SERIES_AT_ONCE", 2)
    assert release(held) == 3
    assert release(held) == 0
    with held.read() as session:
        for uid in UIDS:
            (taken,) = decisions.listed(session, uid)
            assert (taken.kind, taken.person, taken.note, taken.at) == (Kind.RELEASE, "ben", "fire", LATER)
            row = holding.get(session, uid)
            assert (row.state, row.cause, row.decided_by, row.reason) == ("released", "everything", "ben", "fire")
        acts = session.execute(select(AuditRow.what, AuditRow.series_instance_uid).order_by(AuditRow.id)).all()
        assert [uid for act, uid in acts if act == "series_released"] == list(UIDS)
        assert [act for act, _ in acts].count("everything_released") == 2
        assert decisions.listed(session, "1.2.6") == ()
        assert set(session.scalars(select(ForwardRow.state).where(ForwardRow.series_instance_uid.in_(UIDS)))) == {
            "planned"
        }
        words = [row.detail for row in session.scalars(select(EventRow).where(EventRow.what == "released"))]
        assert sum("by ben: fire" in one for one in words) >= 3


def test_a_proposal_of_a_rejection_ends_with_it_as_with_any_release(held):
    """One person's rejection from before it and another's after it together kept a series back."""

    def reject(person, minutes):
        at = T0 + timedelta(minutes=minutes)
        with held.begin() as session:
            wish = Wish(Kind.REJECT, "motion_blur")
            decisions.decide(session, "1.2.3", wish, person=person, version=None, at=at, two_person=True)

    reject("ann", 1)
    release(held)
    reject("cid", 3)
    with held.read() as session:
        assert holding.get(session, "1.2.3").state == "released"


def test_a_series_about_which_no_decision_can_be_written_goes_all_the_same(held, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(decisions, "decide", broken)
    assert release(held) == 3
    with held.read() as session:
        assert holding.waiting(session) == ()
