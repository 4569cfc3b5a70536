from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from qagate.clock import SystemClock
from qagate.domain.series import StoredInstance
from qagate.errors import StoreError
from qagate.receive.association import AssociationEvent
from qagate.receive.spool import Spool
from qagate.store import arrivals, reception, retention, standstill, worklist
from qagate.store.database import Database
from qagate.store.routing import Route, Routing
from qagate.store.tables import ForwardRow, InstanceRow, SeriesRow
from qagate.work.adopting import WHOLE_EVERY
from qagate.work.receiving import Registrar

T0 = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path):
    database = Database.open(f"sqlite:///{tmp_path / 'qagate.db'}")
    yield database
    database.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 0)


@pytest.fixture
def registrar(database, spool):
    registrar = Registrar(database, spool, SystemClock(), receiver="r")
    registrar.start()
    until(lambda: registrar._next_adoption > time.monotonic())  # it has looked for what was left behind
    yield registrar
    registrar.stop()


def put(spool: Spool, number: int, association: str = "") -> StoredInstance:
    """Store an object whose data set says its series alone: the C-STORE request's UIDs stand in."""
    return spool.store(
        b"\x20\0\x0e\0UI\6\x001.2.3\0%d" % number,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        sop_instance_uid=f"1.2.{number}",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        calling_ae_title="S",
        called_ae_title="Q",
        received_at=T0,
        association_id=association,
    )


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def known(database: Database) -> dict[str, str]:
    with database.read() as session:
        return dict(session.execute(select(InstanceRow.sop_instance_uid, InstanceRow.association_id)).all())


def test_orphans_count_as_brought_by_an_aborted_association(database, spool):
    # the process died before any row was written: nobody knows whether the sender had come to its end
    put(spool, 1)
    registrar = Registrar(database, spool, SystemClock(), receiver="r")
    registrar.start()
    registrar.stop()
    with database.begin() as session:
        (arrival,) = arrivals.every(session)
        assert arrival.aborted
        assert arrival.open_associations == 0
        assert arrival.last_closed_at is not None  # the quiet time starts when they were found, not when they came
        assert arrivals.broke_off(session, arrival.series_instance_uid)


def test_a_sender_that_sends_everything_again_is_not_incomplete(database, spool, registrar):
    one = put(spool, 1)
    for association, aborted in (("A1", True), ("A2", False)):
        registrar.association(AssociationEvent(association, "S", "Q", "h", True, T0))
        registrar.stored(replace(one, association_id=association))
        registrar.association(AssociationEvent(association, "S", "Q", "h", False, T0, aborted=aborted))
    until(lambda: known(database) == {"1.2.1": "A2"})

    def ended() -> bool:
        with database.read() as session:
            (arrival,) = arrivals.every(session)
            return arrival.open_associations == 0 and not arrival.aborted

    until(ended)


@pytest.mark.parametrize(
    ("sender", "seconds", "aborted", "broke_off"),
    [
        ("S", 2, False, False),  # it came back with what was missing
        ("S", 2, True, True),  # it came back and broke off again
        ("OTHER", 2, False, True),  # somebody else knows nothing of what is missing
        ("S", 0, False, True),  # a second association beside the first one: it had its own part
    ],
)
def test_a_sender_that_resumes_with_only_the_missing_images_is_not_incomplete(
    database, spool, registrar, sender, seconds, aborted, broke_off
):
    one, two = put(spool, 1), put(spool, 2)
    later = T0 + timedelta(seconds=seconds)
    for event in (
        AssociationEvent("A1", "S", "Q", "h", True, T0),
        replace(one, association_id="A1"),
        AssociationEvent("A1", "S", "Q", "h", False, T0 + timedelta(seconds=1), aborted=True),
        AssociationEvent("A2", sender, "Q", "h", True, later),
        replace(two, association_id="A2"),
        AssociationEvent("A2", sender, "Q", "h", False, later + timedelta(seconds=1), aborted=aborted),
    ):
        (registrar.stored if isinstance(event, StoredInstance) else registrar.association)(event)
    registrar.stop()
    with database.read() as session:
        assert arrivals.broke_off(session, "1.2.3") is broke_off
        (arrival,) = [a for a in arrivals.every(session) if a.series_instance_uid == "1.2.3"]
        assert arrival.aborted is broke_off


def test_a_database_that_is_away_from_the_start_learns_everything_when_it_comes(tmp_path, spool, monkeypatch, caplog):
    there = threading.Event()
    opening = Database._open

    def away(self, *, migrate):
        if not there.is_set():
            raise StoreError("the database at nowhere cannot be used")
        opening(self, migrate=migrate)

    monkeypatch.setattr(Database, "_open", away)
    put(spool, 9)  # left by a process before this one
    database = Database.reach(f"sqlite:///{tmp_path / 'later.db'}")
    registrar = Registrar(database, spool, SystemClock(), receiver="r")
    registrar.start()
    registrar.association(AssociationEvent("A1", "S", "Q", "h", True, T0))
    registrar.stored(put(spool, 1, "A1"))
    until(lambda: "reception goes on" in caplog.text)
    time.sleep(1.2)  # more than one try
    there.set()
    until(lambda: "there again" in caplog.text)
    registrar.stop()
    found = known(database)
    database.close()
    assert found["1.2.1"] == "A1"  # its own entry, not an orphan
    assert found["1.2.9"] not in ("", "A1")
    assert sum("reception goes on" in record.message for record in caplog.records) == 1


def test_an_object_that_was_adopted_before_its_own_entry_came_keeps_its_association(database, spool, registrar):
    one = put(spool, 1)
    with database.begin() as session:
        reception.register(session, [replace(one, association_id="lost")])
    registrar.stored(replace(one, association_id="A1"))
    until(lambda: known(database) == {"1.2.1": "A1"})


ROUTING = Routing((Route("PACS", "PACS"),), holds=False)


def forwarded(database: Database, spool: Spool) -> StoredInstance:
    """Store an object, note it, and let its destination have it."""
    one = put(spool, 1, "A1")
    with database.begin() as session:
        reception.register(session, [one], ROUTING)
        session.execute(update(ForwardRow).values(state="sent"))
    return one


def forget(session: Session) -> None:
    """Let the series leave the disk, as far as the database is concerned."""
    session.get_one(SeriesRow, "1.2.3").state = "delivered"
    assert retention.forget(session, "1.2.3", before=T0 + timedelta(days=2), at=T0 + timedelta(days=9))


def forwards(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(ForwardRow.state)))


def test_another_receiver_that_finds_an_object_after_its_own_entry_came_changes_nothing(database, spool, monkeypatch):
    monkeypatch.setattr(reception, "known_paths", lambda session, series: frozenset())  # it asked before the entry came
    forwarded(database, spool)
    Registrar(database, spool, SystemClock(), receiver="other", routing=ROUTING).adopt()
    assert known(database) == {"1.2.1": "A1"}
    assert forwards(database) == ["sent"]


def test_an_entry_that_is_written_twice_is_not_sent_twice(database, spool):
    one = forwarded(database, spool)
    with database.begin() as session:  # the first time was not confirmed: the connection was gone
        reception.register(session, [one], ROUTING)
    assert forwards(database) == ["sent"]
    with database.begin() as session:
        reception.register(session, [replace(one, received_at=T0 + timedelta(seconds=1))], ROUTING)
    assert forwards(database) == ["planned"]


def test_what_retention_did_not_come_to_removing_is_not_forwarded_again(database, spool):
    forwarded(database, spool)
    with database.begin() as session:
        forget(session)
    Registrar(database, spool, SystemClock(), receiver="r", routing=ROUTING).adopt()
    assert forwards(database) == ["sent"]
    with database.read() as session:
        assert retention.gone(session, "1.2.3") == 0  # known again, so that it is removed


def test_what_came_again_after_it_had_left_is_forwarded_though_nobody_could_note_it(database, spool):
    one = forwarded(database, spool)
    with database.begin() as session:
        forget(session)
    late = T0 + timedelta(days=10)
    os.utime(one.path, (late.timestamp(), late.timestamp()))
    Registrar(database, spool, SystemClock(), receiver="r", routing=ROUTING).adopt()
    assert forwards(database) == ["planned"]


def test_objects_are_found_where_the_data_folder_was_moved_to(database, spool, tmp_path):
    one = forwarded(database, spool)
    spool.root.rename(tmp_path / "moved")
    moved = Spool(tmp_path / "moved", 0)
    registrar = Registrar(database, moved, SystemClock(), receiver="r", routing=ROUTING)
    registrar.adopt()
    assert forwards(database) == ["sent"]
    with database.read() as session:
        assert session.scalars(select(InstanceRow.path)).all() == [str(moved.root / one.path.relative_to(spool.root))]


POISONS = (
    ValueError("no"),
    DataError("INSERT", {}, Exception("too long")),
    IntegrityError("INSERT", {}, Exception("NOT NULL constraint failed")),
)


@pytest.mark.parametrize("poison", POISONS, ids=repr)
def test_one_object_that_can_never_be_written_costs_the_others_nothing(
    database, spool, registrar, monkeypatch, caplog, poison
):
    register = reception.register

    def refuse(session, instances, *more, **named):
        instances = list(instances)
        if any(i.sop_instance_uid == "1.2.2" for i in instances):
            raise poison
        return register(session, instances)

    monkeypatch.setattr(reception, "register", refuse)
    objects = [put(spool, number, "A1") for number in (1, 2, 3)]
    for instance in objects:
        registrar.stored(instance)
    until(lambda: set(known(database)) == {"1.2.1", "1.2.3"})
    assert "1.2.2" in caplog.text
    registrar.adopt()  # the spool still has it, and it hurts nobody there either
    assert "1.2.2" not in known(database)
    with database.read() as session:  # and people are told: its sender has had Success
        assert standstill.left_out(session, since=datetime.now(UTC) - timedelta(minutes=1))
        assert not standstill.left_out(session, since=datetime.now(UTC) + timedelta(minutes=1))


def test_what_is_longer_than_it_may_be_is_cut(database, spool):
    one = replace(put(spool, 1), modality="M" * 40, study_instance_uid="1." * 60, sop_class_uid="2\0" * 60)
    with database.begin() as session:
        assert reception.register(session, [one]) == 1
    with database.read() as session:
        row = worklist.series(session, "1.2.3")
        assert (row.modality, row.study_instance_uid) == ("M" * 16, "1." * 32)
        assert session.scalars(select(InstanceRow.sop_class_uid)).one() == "2" * 60
    with database.begin() as session:
        assert reception.register(session, [one]) == 0


def test_what_killed_writers_left_behind_goes_away_once_nobody_can_be_writing_it(database, spool, monkeypatch):
    one = put(spool, 1)
    left = one.path.with_name(".dead.part")
    left.write_bytes(b"half")
    registrar = Registrar(database, spool, SystemClock(), receiver="r")
    registrar.adopt()
    assert left.exists()  # another receiver may be writing it
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    registrar.adopt()
    assert not left.exists()
    assert one.path.exists()


def looked_into(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Adopt, and return the folders whose files were looked at."""
    seen: list[str] = []
    adopt_folder = Spool.adopt_folder
    monkeypatch.setattr(
        Spool,
        "adopt_folder",
        lambda self, folder, known: (seen.append(folder.name), adopt_folder(self, folder, known))[1],
    )
    registrar.adopt()
    monkeypatch.undo()
    return seen


def test_what_is_compared_grows_with_what_comes_and_not_with_what_there_is(database, spool, monkeypatch):
    """Every five minutes the paths of all objects were loaded, and all files were listed, before anything was noted."""
    registrar = Registrar(database, spool, SystemClock(), receiver="r")
    one = put(spool, 1)
    odd = spool.store(
        b"nothing", sop_class_uid="2", sop_instance_uid="3", transfer_syntax_uid="1.2.840.10008.1.2",
        calling_ae_title="S", called_ae_title="Q", received_at=T0,
    )  # fmt: skip
    for folder in (one.path.parent, odd.path.parent):
        os.utime(folder, (T0.timestamp(), T0.timestamp()))
    both = ["1.2.3", odd.path.parent.name]
    assert looked_into(registrar, monkeypatch) == both
    assert set(known(database)) == {"1.2.1", "3"}
    assert looked_into(registrar, monkeypatch) == []
    put(spool, 2)
    assert looked_into(registrar, monkeypatch) == ["1.2.3"]
    assert looked_into(registrar, monkeypatch) == ["1.2.3"]  # it changed this moment, and may once more
    assert set(known(database)) == {"1.2.1", "1.2.2", "3"}
    for _ in range(WHOLE_EVERY - 4):
        registrar.adopt()
    assert looked_into(registrar, monkeypatch) == both


def test_what_arrives_is_noted_while_a_large_spool_is_looked_through(database, spool, monkeypatch):
    """It waited until all was looked at."""
    monkeypatch.setattr("qagate.work.receiving.ADOPT_SLICE_SECONDS", 0)
    for number in range(30):
        (spool.root / f"1.{number}").mkdir()
    order: list[str] = []
    series_in, register = Spool.series_in, reception.register

    def look(self, folder):
        if folder.name == "1.10":
            registrar.stored(put(spool, 1, "A1"))
        order.append(folder.name)
        return series_in(self, folder)

    def note(session, instances, *more, **named):
        order.extend(i.sop_instance_uid for i in instances)
        return register(session, instances, *more, **named)

    monkeypatch.setattr(Spool, "series_in", look)
    monkeypatch.setattr(reception, "register", note)
    registrar = Registrar(database, spool, SystemClock(), receiver="r")
    registrar.start()
    until(lambda: registrar._next_adoption > time.monotonic())
    registrar.stop()
    assert order.index("1.10") < order.index("1.2.1") < order.index("1.9")
    assert known(database) == {"1.2.1": "A1"}
