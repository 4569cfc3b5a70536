"""A person gives up what is parked for a destination that is gone for good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from qagate.domain.obstacle import Obstacle
from qagate.store import forwarding, giving_up, outbox, reception, retention, stranded, undelivered, worklist
from qagate.store.database import Database
from qagate.store.routing import Route, Routing
from qagate.store.tables import AuditRow, EventRow, ForwardRow

from .conftest import T0
from .test_outbox import planned

BOTH = Routing((Route("OLD", "OLD"), Route("PACS", "PACS")), holds=False)
LATER = T0 + timedelta(days=400)


def give_up(database: Database, destination: str) -> giving_up.GivenUp:
    return giving_up.give_up(database, destination, by="ann", why="it was sold", at=T0)


@pytest.fixture
def stuck(database, instance):
    """Images of two series for OLD, which is gone, and for PACS, which took those of the first series only."""
    with database.begin() as session:
        reception.register(session, [instance(1), instance(2), instance(1, series="4.5.6", sha="b")], BOTH)
        for claimed in forwarding.claim(session, "PACS", by="a", at=T0, limit=2):
            forwarding.sent(session, [(claimed, "")], at=T0)
        assert stranded.park(session, "OLD", at=T0) == 3
        for uid in ("1.2.3", "4.5.6"):
            worklist.series(session, uid).state = "delivered"
    return database


def leaving(database: Database) -> list[str]:
    with database.read() as session:
        return [one.series_instance_uid for one in retention.expired(session, before=LATER, limit=9)]


def test_what_is_given_up_keeps_no_files_and_what_another_destination_lacks_does(stuck, monkeypatch):
    monkeypatch.setattr(giving_up, "SERIES_AT_ONCE", 1)
    assert leaving(stuck) == []
    assert give_up(stuck, "OLD") == giving_up.GivenUp(series=2, documents=0, images=3)
    assert leaving(stuck) == ["1.2.3"]
    with stuck.read() as session:
        assert undelivered.counts(session) == {"PACS": {"planned": 1}}
        said = session.scalars(select(AuditRow)).all()
        assert [(one.who, one.what) for one in said] == [("ann", "deliveries_given_up")] * 2
        assert said[0].detail == "0 documents and 2 images of 1 series to OLD: it was sold"
        trail = session.scalars(select(EventRow).where(EventRow.what == "given_up")).all()
        assert {one.series_instance_uid: one.detail for one in trail} == {
            "1.2.3": "2 images to OLD by ann: it was sold",
            "4.5.6": "1 image to OLD by ann: it was sold",
        }


def test_only_what_is_parked_for_that_destination_is_given_up(stuck):
    assert give_up(stuck, "PACS") == giving_up.GivenUp()
    assert give_up(stuck, "OTHER") == giving_up.GivenUp()
    with stuck.read() as session:
        assert undelivered.counts(session) == {"OLD": {"parked": 3}, "PACS": {"planned": 1}}


def test_it_does_not_go_on_when_the_destination_is_back_unless_its_sender_sends_it_again(stuck, instance):
    give_up(stuck, "OLD")
    with stuck.begin() as session:
        assert stranded.resume(session, documents_to=["OLD"], images_to=["OLD"], at=T0) == 0
        assert forwarding.requeue(session, destination="OLD", at=T0) == 0
        reception.register(session, [instance(1, seconds=9)], Routing(BOTH.routes[1:], holds=False))
        reception.register(session, [instance(2, seconds=9)], BOTH)
    with stuck.read() as session:
        ways = session.execute(
            select(ForwardRow.series_instance_uid, ForwardRow.state)
            .where(ForwardRow.destination == "OLD")
            .order_by(ForwardRow.id)
        ).all()
    assert [tuple(way) for way in ways] == [("1.2.3", "given_up"), ("1.2.3", "planned"), ("4.5.6", "given_up")]


def test_a_series_of_which_the_last_document_is_given_up_has_ended(database, instance):
    revision_id = planned(database, instance)
    with database.begin() as session:
        for item in outbox.contents(session, revision_id, "PACS"):
            outbox.delivered(session, item.delivery_id, sop_instance_uid="9", warning="", at=T0)
        (sr,) = outbox.contents(session, revision_id, "ARCHIVE")
        outbox.failed(session, [sr.delivery_id], obstacle=Obstacle.REFUSED, detail="no", max_attempts=9, at=T0)
        assert worklist.series(session, "1.2.3").state == "scored"
    assert give_up(database, "ARCHIVE") == giving_up.GivenUp(series=1, documents=1)
    assert leaving(database) == ["1.2.3"]
