from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from qagate.deliver.archive import ArchivedSeries
from qagate.domain.series import StoredInstance
from qagate.errors import Unreachable
from qagate.settings import Settings
from qagate.store import outbox, reception, reconciliation, revisions
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.work import reconciling
from qagate.work.reconciling import Reconciling
from tests.unit.work.test_sweeps import PACS, HandClock


class FakeArchive:
    """Stands for an archive: what it has of any day, and which documents it holds."""

    series: tuple[ArchivedSeries, ...] | None = ()
    documents: frozenset[str] = frozenset()

    def __init__(self, destination, calling_ae_title):
        pass

    def series_of(self, day):
        if self.series is None:
            raise Unreachable("it is away")
        return self.series

    def instances(self, study, series):
        return self.documents


@pytest.fixture
def duty(tmp_path, monkeypatch):
    """The duty at 04:00 of the machine's own day, the day after a series came and its two documents were delivered."""
    monkeypatch.setattr(reconciling, "Archive", FakeArchive)
    settings = Settings.model_validate(
        {"storage": {"data_dir": tmp_path}, "destinations": [{**PACS, "reconcile": True}]}
    )
    database, clock = Database.open(settings.database_url), HandClock()
    at = clock.now()
    with database.begin() as session:
        one = StoredInstance(Path("/s/1"), "1.1", "2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64, "CT1", at)
        reception.register(session, [one])
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=at)
        written = [WrittenDocument(kind, "2", f"9.{kind}", "9", ("/x",)) for kind in ("SR", "SC")]
        revisions.record_documents(session, revision.id, written, destinations=[("PACS", ("SR", "SC"))], at=at)
        for item in outbox.contents(session, revision.id, "PACS"):
            outbox.delivered(session, item.delivery_id, sop_instance_uid=f"9.{item.kind}", warning="", at=at)
    clock.time = (at.astimezone() + timedelta(days=1)).replace(hour=4)
    yield Reconciling(settings, database, clock)
    database.close()


def latest(duty: Reconciling) -> reconciliation.Compared | None:
    with duty.database.read() as session:
        return next(iter(reconciliation.latest(session)), None)


def test_what_it_has_and_we_never_saw_and_what_it_took_and_does_not_hold(duty):
    FakeArchive.series = (
        ArchivedSeries("1.2", "1.2.3", "CT"),
        ArchivedSeries("1.2", "1.2.4", "MR"),
        ArchivedSeries("1.2", "1.2.5", "US"),  # not ours to judge
    )
    FakeArchive.documents = frozenset({"9.SR"})
    duty.sweep()
    found = latest(duty)
    assert (found.state, found.held, found.unseen, found.checked, found.absent) == (
        "differs",
        2,
        ("1.2.4",),
        2,
        ("9.SC",),
    )
    assert found.words.startswith("differs on 2026-11-22: 1 of its 2 series never came here, 1 of our 2 documents")


def test_it_agrees_once_a_day_and_not_in_the_small_hours(duty):
    FakeArchive.series, FakeArchive.documents = (ArchivedSeries("1.2", "1.2.3", "CT"),), frozenset({"9.SR", "9.SC"})
    duty.clock.time = duty.clock.time.replace(hour=2)
    duty.sweep()
    assert latest(duty) is None
    duty.clock.time = duty.clock.time.replace(hour=3)
    duty.sweep()
    made = latest(duty)
    assert made.state == "agreed"
    duty.clock.time += timedelta(hours=2)
    duty.sweep()
    assert latest(duty).made_at == made.made_at


def test_an_archive_that_is_away_is_asked_again_after_an_hour(duty):
    FakeArchive.series = None
    duty.sweep()
    assert latest(duty).state == "failed"
    FakeArchive.series, FakeArchive.documents = (), frozenset({"9.SR", "9.SC"})
    duty.clock.time += timedelta(minutes=30)
    duty.sweep()
    assert latest(duty).state == "failed"
    duty.clock.time += timedelta(minutes=30)
    duty.sweep()
    assert latest(duty).state == "agreed"
