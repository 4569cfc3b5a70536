from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from pydicom import Dataset

from qagate.domain.backfill import SIGNAL
from qagate.domain.obstacle import Obstacle
from qagate.domain.series import StoredInstance
from qagate.settings import Settings
from qagate.store import arrivals, outbox, reception, revisions, workers, worklist
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import DeliveryRow
from qagate.work.completing import Completing
from qagate.work.queues import AFTERWARDS, SCANNERS, URGENT
from qagate.work.sweeps import Sweeps, soon

T0 = datetime(2026, 11, 22, 9, 40, tzinfo=UTC)
PACS = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = T0
        self.running = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic_seconds(self) -> float:
        return self.running


class Ledger:
    """Stands for the engine: remembers what was enqueued, and says of each what it was told to."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.enqueued: list[str] = []
        self.priorities: list[int | None] = []
        self.versions: dict[str, str] = {}

    def enqueue(
        self,
        queue: object,
        name: str,
        *arguments: object,
        workflow_id: str,
        lane: str | None = None,
        priority: int | None = None,
    ) -> None:
        if workflow_id not in self.known:
            self.known[workflow_id] = "ENQUEUED"
            self.enqueued.append(workflow_id)
            self.priorities.append(priority)

    def forget_strays(self, versions: Collection[str]) -> int:
        strays = [wid for wid, version in self.versions.items() if version not in versions]
        for workflow_id in strays:
            del self.known[workflow_id], self.versions[workflow_id]
        return len(strays)

    def status(self, workflow_id: str) -> str | None:
        return self.known.get(workflow_id)

    def forget(self, workflow_id: str) -> None:
        del self.known[workflow_id]


@pytest.fixture
def sweeps(tmp_path: Path):
    """Sweeps over an empty database, a clock and an engine that are moved by hand."""
    settings = Settings.model_validate(
        {
            "storage": {"data_dir": tmp_path},
            "destinations": [PACS],
            "completion": {"quiet_seconds": 10, "open_quiet_seconds": 30},
        }
    )
    database = Database.open(settings.database_url)
    yield Sweeps(settings, database, Ledger(), HandClock())
    database.close()


def arrive(sweeps: Sweeps, number: int, *, at: datetime, association: str = "", path: Path | None = None) -> None:
    with sweeps.database.begin() as session:
        reception.register(
            session,
            [
                StoredInstance(
                    path or Path(f"/spool/{number}.dcm"), str(number), "2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64,
                    "S", at, association_id=association,
                )
            ],
        )  # fmt: skip


def state(sweeps: Sweeps) -> str:
    with sweeps.database.read() as session:
        return worklist.series(session, "1.2.3").state


# the quiet time is 10 s; an hour back is 3600 s that the series must not wait
@pytest.mark.parametrize("step", [timedelta(seconds=5), timedelta(hours=1), timedelta(days=400)], ids=str)
def test_a_clock_that_steps_back_delays_a_series_by_one_quiet_time_and_no_more(sweeps, step):
    arrive(sweeps, 1, at=T0)
    sweeps.clock.time = T0 - step
    sweeps.complete()
    assert state(sweeps) == "receiving"
    sweeps.clock.time += timedelta(seconds=9)
    sweeps.complete()
    assert state(sweeps) == "receiving"
    sweeps.clock.time += timedelta(seconds=1)
    sweeps.complete()
    assert state(sweeps) == "queued"


def test_what_is_noted_while_the_sweep_reads_is_no_step_of_the_clock(sweeps, monkeypatch, caplog):
    def every(session):
        sweeps.clock.time += timedelta(seconds=1)
        arrive(sweeps, 1, at=sweeps.clock.time)
        with sweeps.database.read() as fresh:
            return real(fresh)

    real = arrivals.every
    monkeypatch.setattr(arrivals, "every", every)
    sweeps.complete()
    assert "stepped back" not in caplog.text


def test_an_association_that_closed_before_the_clock_stepped_back_holds_nothing_up(sweeps):
    with sweeps.database.begin() as session:
        reception.open_association(
            session, association_id="A1", calling_ae_title="S", called_ae_title="Q", host="h", receiver="r", at=T0
        )
        reception.close_association(session, association_id="A1", at=T0 + timedelta(seconds=2), aborted=False)
    arrive(sweeps, 1, at=T0, association="A1")
    sweeps.clock.time = T0 - timedelta(hours=1)
    sweeps.complete()
    sweeps.clock.time += timedelta(seconds=10)
    sweeps.complete()
    assert state(sweeps) == "queued"
    with sweeps.database.read() as session:
        assert worklist.series(session, "1.2.3").completed_by == "association_closed"


def judged(sweeps: Sweeps, *kinds: str) -> int:
    """Take one series to its documents; returns the revision's id."""
    arrive(sweeps, 1, at=T0)
    with sweeps.database.begin() as session:
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        assert revision is not None
        revisions.record_documents(
            session,
            revision.id,
            [WrittenDocument(kind, "2", f"9.{kind}", "9", (f"/out/9.{kind}.dcm",)) for kind in kinds],
            destinations=[("PACS", kinds)],
            at=T0,
        )
        return revision.id


def test_deliveries_do_not_wait_for_a_clock_that_stepped_back(sweeps):
    judged(sweeps, "SR")
    sweeps.clock.time = T0 - timedelta(hours=1)
    sweeps.deliver()
    assert sweeps.engine.enqueued == ["deliver:1:PACS:1"]
    with sweeps.database.begin() as session:
        outbox.failed(
            session, [1], detail="down", obstacle=Obstacle.NOT_NOW, max_attempts=9, at=T0
        )  # again at T0 + 5 s
    sweeps.deliver()
    assert sweeps.engine.enqueued[1:] == ["deliver:1:PACS:2"]


@pytest.mark.parametrize("status", ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED", "SUCCESS"])
def test_a_delivery_whose_workflow_ended_without_a_result_is_tried_again(sweeps, status):
    judged(sweeps, "SR", "SC")
    sweeps.deliver()
    sweeps.resume()  # it is under way: nothing happens
    sweeps.engine.known["deliver:1:PACS:1"] = status
    sweeps.resume()
    with sweeps.database.read() as session:
        assert {(row.state, row.attempts) for row in session.query(DeliveryRow)} == {("planned", 1)}
    sweeps.clock.time += timedelta(seconds=5)
    sweeps.deliver()
    assert sweeps.engine.enqueued == ["deliver:1:PACS:1", "deliver:1:PACS:3"]  # 2 documents, one try each: 1 + 2


def test_every_try_has_an_id_that_was_never_used(sweeps):
    # the SR goes at once, the SC is tried five times and parked; then the SR has to go again
    judged(sweeps, "SR", "SC")
    with sweeps.database.begin() as session:
        outbox.delivered(session, 1, sop_instance_uid="9.SR", warning="", at=T0)
        outbox.failed(session, [2], detail="no", obstacle=Obstacle.NOT_NOW, max_attempts=5, at=T0)
    for _ in range(4):
        sweeps.clock.time += timedelta(hours=1)
        sweeps.deliver()
        with sweeps.database.begin() as session:
            outbox.failed(session, [2], detail="no", obstacle=Obstacle.NOT_NOW, max_attempts=5, at=sweeps.clock.now())
    used = set(sweeps.engine.enqueued)
    assert len(used) == 4
    with sweeps.database.begin() as session:
        outbox.await_commitment(session, [1], transaction_uid="7", at=sweeps.clock.now())
        outbox.not_committed(
            session, transaction_uid="7", sop_instance_uids=["9.SR"], detail="gone", at=sweeps.clock.now()
        )
    sweeps.clock.time += timedelta(hours=1)
    sweeps.deliver()
    assert len(sweeps.engine.enqueued) == 5
    assert sweeps.engine.enqueued[-1] not in used


def test_a_series_that_ends_its_worker_again_and_again_is_set_aside(sweeps):
    arrive(sweeps, 1, at=T0)
    sweeps.clock.time += timedelta(seconds=10)
    sweeps.complete()
    (workflow,) = sweeps.engine.enqueued
    sweeps.engine.known[workflow] = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
    sweeps.resume()
    sweeps.resume()
    assert state(sweeps) == "failed"
    assert sweeps.engine.enqueued == [workflow]


@pytest.mark.parametrize("status", ["MAX_RECOVERY_ATTEMPTS_EXCEEDED", "SUCCESS"])
def test_a_person_can_have_a_series_judged_again_that_was_set_aside(sweeps, status):
    arrive(sweeps, 1, at=T0)
    sweeps.clock.time += timedelta(seconds=10)
    sweeps.complete()
    (workflow,) = sweeps.engine.enqueued
    sweeps.engine.known[workflow] = status
    if status == "SUCCESS":  # its journey parked it
        with sweeps.database.begin() as session:
            revisions.fail(session, 1, reason="unreadable", at=T0)
    sweeps.resume()
    assert state(sweeps) == "failed"
    with sweeps.database.begin() as session:
        assert revisions.requeue(session, "1.2.3", at=T0) == 1
    sweeps.resume()
    assert state(sweeps) == "queued"
    assert sweeps.engine.enqueued == [workflow, workflow]


@pytest.mark.parametrize("status", ["ERROR", "SUCCESS"])
def test_a_series_is_judged_again_when_its_workflow_ended_and_it_is_not_judged(sweeps, status):
    # a database that was away for longer than a step is tried must not cost the series its verdict
    arrive(sweeps, 1, at=T0)
    sweeps.clock.time += timedelta(seconds=10)
    sweeps.complete()
    (workflow,) = sweeps.engine.enqueued
    sweeps.engine.known[workflow] = status
    sweeps.resume()
    assert state(sweeps) == "queued"
    assert sweeps.engine.enqueued == [workflow, workflow]


def test_what_was_complete_when_the_process_died_is_enqueued(sweeps):
    arrive(sweeps, 1, at=T0)
    with sweeps.database.begin() as session:
        revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
    sweeps.resume()
    sweeps.resume()
    assert len(sweeps.engine.enqueued) == 1


def test_a_duty_can_be_called_before_its_time() -> None:
    called = threading.Event()

    def deliver() -> None:
        called.set()

    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(deliver, "interval", hours=5, name="deliver")
    scheduler.start()
    try:
        soon(scheduler, "deliver")
        assert called.wait(60)
        soon(scheduler, "nothing of that name")
    finally:
        scheduler.shutdown(wait=False)
    soon(scheduler, "deliver")


@pytest.mark.parametrize(("signal", "priority"), [("quiet", SCANNERS), ("mpps", SCANNERS), (SIGNAL, AFTERWARDS)])
def test_what_was_fetched_to_be_judged_afterwards_goes_behind_what_scanners_send(sweeps, signal, priority):
    arrive(sweeps, 1, at=T0)
    with sweeps.database.begin() as session:
        revisions.close_series(session, "1.2.3", completed_by=signal, at=T0)
    sweeps.take_afterwards()
    assert len(sweeps.engine.enqueued) == (signal == SIGNAL)
    sweeps.resume()
    sweeps.take_afterwards()
    assert sweeps.engine.priorities == [priority]


@pytest.mark.parametrize(
    ("said", "signal", "priority"),
    [
        ({"RequestedProcedurePriority": "STAT"}, "quiet", URGENT),
        ({"RequestedProcedurePriority": "ROUTINE"}, "quiet", SCANNERS),
        ({"RequestedProcedurePriority": "STAT"}, SIGNAL, AFTERWARDS),  # it was, when it was scanned
        ({"StudyDescription": "CT Trauma"}, "mpps", URGENT),
        ({"StudyDescription": "Abdomen"}, "mpps", SCANNERS),
        ({}, "quiet", SCANNERS),
        (None, "quiet", SCANNERS),  # no object at all
    ],
)
def test_what_cannot_wait_goes_before_what_other_scanners_send(sweeps, tmp_path, said, signal, priority):
    path = tmp_path / "1.dcm"
    if said is None:
        path.write_bytes(b"no DICOM")
    else:
        header = Dataset()
        header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1"
        for keyword, value in said.items():
            setattr(header, keyword, value)
        header.save_as(path, implicit_vr=False, little_endian=True)
    arrive(sweeps, 1, at=T0, path=path)
    with sweeps.database.begin() as session:
        revisions.close_series(session, "1.2.3", completed_by=signal, at=T0)
    sweeps.resume()
    assert sweeps.engine.priorities == [priority]


@pytest.mark.parametrize(
    ("at_work", "again"),
    [
        (["qagate-1", "qagate-2"], False),  # a worker of the old version may still take it
        (["qagate-2"], True),
        (["", "qagate-2"], False),  # a worker that says no version is of the first one
    ],
)
def test_work_of_a_version_that_no_worker_has_is_written_down_anew(sweeps, at_work, again):
    arrive(sweeps, 1, at=T0)
    with sweeps.database.begin() as session:
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        for number, version in enumerate(at_work):
            workers.beat(session, f"w{number}", device="cpu", at=T0, version=version)
    assert revision is not None
    workflow_id = revisions.workflow_id(revision)
    sweeps.engine.known[workflow_id], sweeps.engine.versions[workflow_id] = "ENQUEUED", "qagate-1"
    sweeps.resume()
    assert sweeps.engine.enqueued == [workflow_id] * again


def test_archives_and_mail_servers_that_do_not_answer_keep_nothing_from_being_judged(sweeps, monkeypatch):
    """Four of them held all threads that there were, and no series was complete any more."""
    stuck, waits, judged = threading.Event(), threading.Semaphore(0), threading.Event()

    def hang(self):
        waits.release()
        stuck.wait(20)

    for duty in ("Commitments.ask", "Auditing.sweep", "Alerting.watch", "Reconciling.sweep", "Retention.sweep"):
        monkeypatch.setattr(f"qagate.work.sweeps.{duty}", hang)
    monkeypatch.setattr(Completing, "inquire", hang)

    def complete(self):
        judged.set()

    def beat():
        pass

    monkeypatch.setattr(Sweeps, "complete", complete)
    scheduler = sweeps.schedule(SimpleNamespace(beat=beat, watch=beat))
    scheduler.start()
    try:
        for job in scheduler.get_jobs():
            if job.executor == "outside":
                job.modify(next_run_time=datetime.now(UTC))
        for _ in range(6):
            assert waits.acquire(timeout=10)
        judged.clear()
        assert judged.wait(10)
    finally:
        stuck.set()
        scheduler.shutdown(wait=True)


def test_a_series_that_cannot_be_looked_at_keeps_no_other_from_its_verdict(sweeps, monkeypatch):
    arrive(sweeps, 1, at=T0)
    with sweeps.database.begin() as session:
        other = StoredInstance(Path("/spool/2.dcm"), "2", "2", "3", "1.2.4", "1.2", "CT", 1, "a" * 64, "S", T0)
        reception.register(session, [other])
    close = revisions.close_series

    def poison(session, uid, **named):
        if uid == "1.2.3":
            raise ValueError("a fault of ours")
        return close(session, uid, **named)

    monkeypatch.setattr(revisions, "close_series", poison)
    sweeps.clock.time += timedelta(minutes=1)
    sweeps.complete()
    with sweeps.database.read() as session:
        assert {uid: worklist.series(session, uid).state for uid in ("1.2.3", "1.2.4")} == {
            "1.2.3": "receiving", "1.2.4": "queued",
        }  # fmt: skip
