from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from qagate.domain.obstacle import Obstacle
from qagate.store import forwarding, patience, reception, worklist
from qagate.store.database import Database
from qagate.store.routing import Route, Routing
from qagate.store.tables import ForwardRow
from tests.peers import postgres

from .conftest import T0

ROUTING = Routing((Route("PACS", "PACS"), Route("VAULT", "VAULT")), holds=False)
HOLDING = replace(ROUTING, holds=True)
HOUR = timedelta(hours=1)


def states(session, destination="PACS"):
    rows = session.query(ForwardRow).filter_by(destination=destination).order_by(ForwardRow.id)
    return [row.state for row in rows]


@pytest.fixture
def planned(database, instance):
    """Three images planned for each of two destinations."""
    with database.begin() as session:
        reception.register(session, [instance(n) for n in (1, 2, 3)], ROUTING)
    return database


def test_an_image_and_its_way_on_are_written_together(database, instance):
    report = replace(instance(2), sop_class_uid="1.2.840.10008.5.1.4.1.1.88.67", modality="SR")
    own = replace(instance(3), calling_ae_title="PACS")
    with database.begin() as session:
        reception.register(session, [instance(1), report, own], HOLDING)
        # only what can be scored waits, and nothing goes back to where it came from
        assert states(session) == ["held", "planned"]
        assert states(session, "VAULT") == ["held", "planned", "held"]


def test_what_waits_for_its_next_try_is_tried_at_once_when_it_is_sent_once_more(planned, instance):
    with planned.begin() as session:
        claimed = forwarding.claim(session, "PACS", by="a", at=T0, limit=9)
        forwarding.failed(session, claimed, detail="away", obstacle=Obstacle.NOT_NOW, at=T0)
        now = T0 + timedelta(seconds=1)
        assert not forwarding.waits(session, "PACS", at=now)
        reception.register(session, [instance(2, seconds=1)], ROUTING)
        (one,) = forwarding.claim(session, "PACS", by="a", at=now, limit=9)
        assert one.sop_instance_uid == "1.2.3.2"


@pytest.mark.parametrize(("obstacle", "goes"), [(Obstacle.UNSENDABLE, ["1.2.3.2"]), (Obstacle.REFUSED, [])])
def test_what_could_not_be_read_here_goes_when_it_is_sent_once_more(planned, instance, obstacle, goes):
    """It stayed parked, and nobody tried the file that was whole again."""
    with planned.begin() as session:
        claimed = forwarding.claim(session, "PACS", by="a", at=T0, limit=9)
        forwarding.failed(session, claimed, detail="other bytes", obstacle=obstacle, at=T0)
        reception.register(session, [instance(2, seconds=1)], ROUTING)
        now = T0 + timedelta(seconds=1)
        found = forwarding.claim(session, "PACS", by="a", at=now, limit=9)
        assert [one.sop_instance_uid for one in found] == goes


def test_nothing_is_planned_beside_a_pacs(database, instance):
    with database.begin() as session:
        reception.register(session, [instance(1)])
        assert forwarding.counts(session) == {}


def test_what_is_sent_once_more_goes_once_more(planned, instance):
    with planned.begin() as session:
        for state, row in zip(
            ("sent", "committed", "rejected"), session.query(ForwardRow).filter_by(destination="PACS"), strict=True
        ):
            row.state = state
    with planned.begin() as session:
        reception.register(session, [instance(n, seconds=1) for n in (1, 2, 3)], ROUTING)
        assert states(session) == ["planned", "planned", "rejected"]
        # also what was received before anything was forwarded
        reception.register(session, [instance(4)])
        reception.register(session, [instance(4, seconds=1)], ROUTING)
        assert states(session)[-1] == "planned"


def test_two_forwarders_never_claim_the_same(planned):
    with planned.begin() as session:
        first = forwarding.claim(session, "PACS", by="a", at=T0, limit=2)
        second = forwarding.claim(session, "PACS", by="b", at=T0, limit=2)
        assert [c.sop_instance_uid for c in (*first, *second)] == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
        assert forwarding.claim(session, "PACS", by="c", at=T0, limit=2) == ()
        # a claim that was not ended runs out; a process of the same name frees its own at once
        later = T0 + timedelta(seconds=forwarding.CLAIM_SECONDS)
        assert len(forwarding.claim(session, "PACS", by="c", at=later, limit=9)) == 3
        forwarding.unclaim_all(session, "c")
        assert len(forwarding.claim(session, "PACS", by="d", at=later, limit=9)) == 3


def test_a_claim_that_is_not_renewed_runs_out(planned):
    late = T0 + timedelta(seconds=forwarding.CLAIM_SECONDS + 1)
    with planned.begin() as session:
        claimed = forwarding.claim(session, "PACS", by="a", at=T0, limit=9)
        ids = [one.forward_id for one in claimed]
        forwarding.renew(session, ids[:1], by="a", at=T0 + timedelta(seconds=60))
        forwarding.renew(session, ids[1:], by="another", at=T0 + timedelta(seconds=60))
        again = forwarding.claim(session, "PACS", by="b", at=late, limit=9)
        assert [one.forward_id for one in again] == ids[1:]


def test_claims_of_before_a_clock_stepped_back_hold_nothing_up(planned):
    with planned.begin() as session:
        forwarding.claim(session, "PACS", by="a", at=T0, limit=9)
        assert len(forwarding.claim(session, "PACS", by="b", at=T0 - timedelta(hours=1), limit=9)) == 3


def test_the_urgent_goes_first(planned, instance):
    with planned.begin() as session:
        session.query(ForwardRow).filter_by(destination="PACS").order_by(ForwardRow.id.desc()).first().urgent = True
        session.flush()
        assert forwarding.claim(session, "PACS", by="a", at=T0, limit=1)[0].sop_instance_uid == "1.2.3.3"


# waits after try 1..6: 5, 15, 60, 300, 300, 300 s, for ever: an image is never given up
@pytest.mark.parametrize(("tries", "wait"), [(1, 5), (2, 15), (3, 60), (4, 300), (50, 300)])
def test_waits_grow_and_end_never(planned, tries, wait):
    at = T0
    with planned.begin() as session:
        for _ in range(tries):
            claimed = forwarding.claim(session, "PACS", by="a", at=at, limit=9)
            assert len(claimed) == 3
            forwarding.failed(session, claimed, detail="away", obstacle=Obstacle.NOT_NOW, at=at)
            before, at = at, at + timedelta(seconds=300)
        assert forwarding.claim(session, "PACS", by="a", at=before + timedelta(seconds=wait - 1), limit=9) == ()
        assert len(forwarding.claim(session, "PACS", by="a", at=before + timedelta(seconds=wait), limit=9)) == 3


def test_what_waits_for_a_destination_that_is_back_waits_no_longer(planned):
    with planned.begin() as session:
        forwarding.failed(
            session,
            forwarding.claim(session, "PACS", by="a", at=T0, limit=9),
            detail="away",
            obstacle=Obstacle.NOT_NOW,
            at=T0,
        )
        patience.end(session, ForwardRow, "PACS", at=T0)
        assert len(forwarding.claim(session, "PACS", by="a", at=T0, limit=9)) == 3


def test_what_is_refused_for_good_is_parked_seen_and_can_be_tried_again(planned):
    with planned.begin() as session:
        (claimed,) = forwarding.claim(session, "PACS", by="a", at=T0, limit=1)
        forwarding.failed(session, [claimed], detail="no", obstacle=Obstacle.REFUSED, at=T0)
        assert forwarding.counts(session, "1.2.3")["PACS", "parked"] == 1
        assert worklist.events(session, "1.2.3")[-1].detail == "image 1.2.3.1: no"
        assert forwarding.requeue(session, destination="VAULT", at=T0) == 0
        assert forwarding.requeue(session, destination="PACS", at=T0) == 1


def test_what_is_not_committed_is_sent_again(planned):
    with planned.begin() as session:
        claimed = forwarding.claim(session, "PACS", by="a", at=T0, limit=9)
        forwarding.sent(session, [(claimed[0], ""), (claimed[1], "0x0111 duplicate"), (claimed[2], "")], at=T0)
        assert states(session) == ["sent", "warning", "sent"]
        taken = forwarding.uncommitted(session, "PACS", asked_before=T0, now=T0)
        assert [t.sop_instance_uid for t in taken] == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
        forwarding.await_commitment(session, [t.forward_id for t in taken], transaction_uid="2.25.1", at=T0)
        assert forwarding.uncommitted(session, "PACS", asked_before=T0, now=T0) == ()
        assert len(forwarding.uncommitted(session, "PACS", asked_before=T0 - HOUR, now=T0 - HOUR)) == 3  # a step back
        # the other destination has the same UIDs, and was not asked
        assert forwarding.committed(session, transaction_uid="2.25.1", sop_instance_uids=["1.2.3.1"], at=T0) == 1
        assert forwarding.not_committed(
            session, transaction_uid="2.25.1", sop_instance_uids=["1.2.3.2"], detail="lost", at=T0
        ) == 1  # fmt: skip
        assert forwarding.committed(session, transaction_uid="", sop_instance_uids=["1.2.3.3"], at=T0) == 0
        assert states(session) == ["committed", "planned", "sent"]
        assert states(session, "VAULT") == ["planned"] * 3


def test_what_is_not_committed_again_and_again_waits_longer_each_time(planned):
    at = T0
    for tries, seconds in enumerate((5, 15, 60, 300, 300), start=1):
        with planned.begin() as session:
            claimed = forwarding.claim(session, "PACS", by="a", at=at, limit=1)
            assert [one.attempts for one in claimed] == [tries - 1]
            forwarding.sent(session, [(claimed[0], "")], at=at)
            forwarding.await_commitment(session, [claimed[0].forward_id], transaction_uid=f"2.25.{tries}", at=at)
            forwarding.not_committed(
                session, transaction_uid=f"2.25.{tries}", sop_instance_uids=["1.2.3.1"], detail="", at=at
            )
            assert session.get_one(ForwardRow, claimed[0].forward_id).next_attempt_at == at + timedelta(seconds=seconds)
        at += timedelta(seconds=seconds)


def test_images_that_nobody_forwards_are_noticed(planned):
    with planned.begin() as session:
        assert forwarding.overdue(session, before=T0 + timedelta(minutes=2)) == 6
        claimed = forwarding.claim(session, "PACS", by="a", at=T0, limit=9)
        forwarding.failed(session, claimed, detail="away", obstacle=Obstacle.NOT_NOW, at=T0)
        assert forwarding.overdue(session, before=T0 + timedelta(minutes=2)) == 3


def test_images_that_wait_for_an_archive_that_is_away_are_not_said_to_be_forwarded_by_nobody(planned):
    """A lane tries one of them; status asked whether the forwarder runs, while the archive was down."""
    late = T0 + timedelta(minutes=30)
    with planned.begin() as session:
        claimed = forwarding.claim(session, "PACS", by="a", at=late, limit=1)
        assert forwarding.overdue(session, before=late - timedelta(minutes=2)) == 3  # the other destination's
        forwarding.failed(session, claimed, detail="away", obstacle=Obstacle.NOT_NOW, at=late)
        assert forwarding.overdue(session, before=late - timedelta(minutes=2)) == 3
        assert forwarding.overdue(session, before=late + timedelta(minutes=2)) == 5


@pytest.mark.skipif(not postgres.available(), reason="PostgreSQL is not installed, or root has no user to start it as")
def test_a_claim_is_renewed_without_waiting_for_what_is_being_recorded(instance):
    with postgres.Postgres() as server:
        database = Database.open(server.url)
        with database.begin() as session:
            reception.register(session, [instance(n) for n in (1, 2)], ROUTING)
            first, second = forwarding.claim(session, "PACS", by="a", at=T0 + HOUR, limit=9)
        with database.begin() as recording, database.begin() as renewing:
            forwarding.sent(recording, [(second, "")], at=T0 + HOUR)
            renewing.execute(text("SET LOCAL lock_timeout = '2s'"))
            ids = [first.forward_id, second.forward_id]
            forwarding.renew(renewing, ids, by="a", at=T0 + 2 * HOUR)
        with database.read() as session:
            assert session.get_one(ForwardRow, first.forward_id).claimed_until > T0 + 2 * HOUR
            assert session.get_one(ForwardRow, second.forward_id).state == "sent"
        database.close()
