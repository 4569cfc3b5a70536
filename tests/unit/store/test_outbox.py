from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from qagate.domain.obstacle import Obstacle
from qagate.domain.series import StoredInstance
from qagate.store import outbox, reception, revisions, worklist
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import DeliveryRow
from tests.peers import postgres

from .conftest import T0


@pytest.fixture
def revision_id(database, instance):
    return planned(database, instance)


def planned(database: Database, instance: Callable[..., StoredInstance]) -> int:
    """Plan three deliveries of one revision, two to PACS and one to ARCHIVE; return its id."""
    with database.begin() as session:
        reception.register(session, [instance(1)])
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        session.flush()
        worklist.series(session, "1.2.3").state = "scored"
        revisions.record_documents(
            session,
            revision.id,
            [WrittenDocument(kind, "1.2.3.4", f"9.{kind}", "9", (f"/out/{kind}.dcm",)) for kind in ("SR", "SC")],
            destinations=[("PACS", ("SR", "SC")), ("ARCHIVE", ("SR",))],
            at=T0,
        )
        return revision.id


def test_one_parcel_for_each_destination(database, revision_id):
    with database.begin() as session:
        parcels = outbox.due(session, T0)
        assert {(p.destination, p.attempt) for p in parcels} == {("PACS", 1), ("ARCHIVE", 1)}
        assert [item.kind for item in outbox.contents(session, revision_id, "PACS")] == ["SR", "SC"]


def test_writing_the_same_documents_again_plans_nothing_twice(database, revision_id):
    with database.begin() as session:
        revisions.record_documents(
            session,
            revision_id,
            [WrittenDocument("SR", "1.2.3.4", "9.SR", "9", ("/out/SR.dcm",))],
            destinations=[("PACS", ("SR", "SC"))],
            at=T0,
        )
    with database.begin() as session:
        assert len(outbox.contents(session, revision_id, "PACS")) == 2


# waits after try 1..6: 5, 15, 60, 300, 900, 900 s
@pytest.mark.parametrize(("tries", "wait"), [(1, 5), (2, 15), (3, 60), (4, 300), (5, 900), (6, 900)])
def test_waits_grow(database, revision_id, tries, wait):
    for _ in range(tries):
        with database.begin() as session:
            (item,) = outbox.contents(session, revision_id, "ARCHIVE")
            outbox.failed(session, [item.delivery_id], detail="down", obstacle=Obstacle.NOT_NOW, max_attempts=99, at=T0)
    with database.begin() as session:
        assert "ARCHIVE" not in {p.destination for p in outbox.due(session, T0 + timedelta(seconds=wait - 1))}
        (parcel,) = [p for p in outbox.due(session, T0 + timedelta(seconds=wait)) if p.destination == "ARCHIVE"]
        assert parcel.attempt == tries + 1


def fail_sr(database, revision_id, obstacle, *, at=T0):
    with database.begin() as session:
        (item,) = outbox.contents(session, revision_id, "ARCHIVE")
        outbox.failed(session, [item.delivery_id], detail="down", obstacle=obstacle, max_attempts=2, at=at)


@pytest.mark.parametrize("obstacle", [Obstacle.UNREACHABLE, Obstacle.NOT_NOW])
def test_what_could_not_go_is_tried_slowly_for_ever(database, revision_id, obstacle):
    """An archive that was down for a night needed a person: after some tries all was parked."""
    at = T0
    for wait in (5, 15, 60, 300, 3600, 3600, 3600):  # two quick tries are asked for, five are the least
        fail_sr(database, revision_id, obstacle, at=at)
        with database.begin() as session:
            early, late = at + timedelta(seconds=wait - 1), at + timedelta(seconds=wait)
            assert "ARCHIVE" not in {p.destination for p in outbox.due(session, early)}
            assert "ARCHIVE" in {p.destination for p in outbox.due(session, late)}
        at = late


@pytest.mark.parametrize(("tries", "step_minutes"), [(1, 16), (4, 30), (12, 61)])
def test_a_clock_that_steps_back_lets_nothing_wait_for_as_long_as_the_step(database, revision_id, tries, step_minutes):
    for _ in range(tries):
        fail_sr(database, revision_id, Obstacle.NOT_NOW)
    with database.begin() as session:
        stepped = T0 - timedelta(minutes=step_minutes)
        assert "ARCHIVE" in {parcel.destination for parcel in outbox.due(session, stepped)}


@pytest.mark.parametrize("obstacle", [Obstacle.REFUSED, Obstacle.UNSENDABLE, Obstacle.NO_DESTINATION])
def test_what_no_try_can_help_is_parked_at_once_and_goes_again_when_told(database, revision_id, obstacle):
    for destination in ("ARCHIVE", None):
        fail_sr(database, revision_id, obstacle)
        with database.begin() as session:
            assert worklist.delivery_counts(session)["ARCHIVE", "parked"] == 1
            assert outbox.requeue(session, destination=destination, at=T0) == 1


def test_a_destination_that_is_there_again_gets_what_waited_for_it_and_not_what_it_did_not_want(database, revision_id):
    with database.begin() as session:
        sr, sc = outbox.contents(session, revision_id, "PACS")
        for item, obstacle in ((sr, Obstacle.UNREACHABLE), (sc, Obstacle.NOT_NOW)):
            for _ in range(5):
                outbox.failed(session, [item.delivery_id], obstacle=obstacle, detail="no", max_attempts=1, at=T0)
        outbox.is_there(session, "ARCHIVE", at=T0)
        assert "PACS" not in {parcel.destination for parcel in outbox.due(session, T0)}
        outbox.is_there(session, "PACS", at=T0)
        assert session.get_one(DeliveryRow, sr.delivery_id).next_attempt_at == T0
        assert session.get_one(DeliveryRow, sc.delivery_id).next_attempt_at == T0 + timedelta(hours=1)


def test_the_series_is_delivered_when_every_destination_has_everything(database, revision_id):
    with database.begin() as session:
        items = [
            *outbox.contents(session, revision_id, "PACS"),
            *outbox.contents(session, revision_id, "ARCHIVE"),
        ]
        for item in items[:-1]:
            outbox.delivered(session, item.delivery_id, sop_instance_uid="9", warning="", at=T0)
        assert worklist.series(session, "1.2.3").state == "scored"
        outbox.delivered(session, items[-1].delivery_id, sop_instance_uid="9", warning="B000", at=T0)
        assert worklist.series(session, "1.2.3").state == "delivered"


def test_commitment_that_fails_plans_the_document_again(database, revision_id):
    with database.begin() as session:
        (item,) = outbox.contents(session, revision_id, "ARCHIVE")
        outbox.delivered(session, item.delivery_id, sop_instance_uid="9.SR", warning="", at=T0)
        outbox.await_commitment(session, [item.delivery_id], transaction_uid="7", at=T0)
        assert outbox.not_committed(session, transaction_uid="7", sop_instance_uids=["9.SR"], detail="0112", at=T0) == 1
        row = session.get_one(DeliveryRow, item.delivery_id)
        assert row.next_attempt_at == T0 + timedelta(seconds=5)  # longer the next time
        assert len(outbox.contents(session, revision_id, "ARCHIVE")) == 1
        outbox.delivered(session, item.delivery_id, sop_instance_uid="9.SR", warning="", at=T0)
        assert outbox.committed(session, transaction_uid="7", sop_instance_uids=["9.SR"], at=T0) == 1


def test_a_result_that_comes_again_does_not_send_what_was_taken_back(database, revision_id):
    """An archive whose report we could not answer says it again: a withdrawn rejection note went after all."""
    with database.begin() as session:
        (item,) = outbox.contents(session, revision_id, "ARCHIVE")
        outbox.delivered(session, item.delivery_id, sop_instance_uid="9.SR", warning="", at=T0)
        outbox.await_commitment(session, [item.delivery_id], transaction_uid="7", at=T0)
        named = {"transaction_uid": "7", "sop_instance_uids": ["9.SR"], "at": T0}
        assert outbox.not_committed(session, **named, detail="0112") == 1
        session.get_one(DeliveryRow, item.delivery_id).state = outbox.WITHDRAWN  # as notes.told() does
        session.flush()
        assert outbox.not_committed(session, **named, detail="0112") == 0
        assert outbox.committed(session, **named) == 0
        assert session.get_one(DeliveryRow, item.delivery_id).state == outbox.WITHDRAWN


def test_a_result_without_a_transaction_says_nothing_of_what_was_never_asked_for(database, revision_id):
    with database.begin() as session:
        (item,) = outbox.contents(session, revision_id, "ARCHIVE")
        outbox.delivered(session, item.delivery_id, sop_instance_uid="9.SR", warning="", at=T0)
        named = {"transaction_uid": "", "sop_instance_uids": ["9.SR"], "at": T0}
        assert outbox.committed(session, **named) == 0
        assert outbox.not_committed(session, **named, detail="0112") == 0
        assert session.get_one(DeliveryRow, item.delivery_id).state == "sent"


@pytest.mark.peers
@pytest.mark.skipif(not postgres.available(), reason="needs PostgreSQL")
def test_a_series_is_delivered_when_the_last_two_destinations_end_at_the_same_time(instance):
    with postgres.Postgres() as server:
        database = Database.open(server.url)
        revision_id = planned(database, instance)

        def take(session, destination):
            for item in outbox.contents(session, revision_id, destination):
                outbox.delivered(session, item.delivery_id, sop_instance_uid="9", warning="", at=T0)

        def archive_takes():
            with database.begin() as session:
                begun.set()
                take(session, "ARCHIVE")

        begun, other = threading.Event(), threading.Thread(target=archive_takes)
        with database.begin() as session:
            take(session, "PACS")
            other.start()
            begun.wait()
            other.join(0.5)  # it waits for this one, or has seen PACS waiting and leaves the end to it
        other.join()
        with database.read() as session:
            assert worklist.series(session, "1.2.3").state == "delivered"
        database.close()
