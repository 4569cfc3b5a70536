from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from qagate.clock import SystemClock
from qagate.domain.series import StoredInstance
from qagate.settings import Settings
from qagate.store import outbox, reception, retention, revisions, worklist
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.work.retention import Retention, disk_words

T0 = datetime(2026, 11, 1, tzinfo=UTC)


class Later(SystemClock):
    """Ten days after T0."""

    def now(self) -> datetime:
        return T0 + timedelta(days=10)


@pytest.fixture
def node(tmp_path: Path):
    """A database with one old series on disk, its report written for one destination, and the sweep."""
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path, "keep_days": 7}})
    database = Database.open(settings.database_url)
    image = settings.spool_dir / "1.2.3" / "1.dcm"
    report = settings.outbox_dir / "sr.dcm"
    for path in (image, report):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    instance = StoredInstance(image, "1", "2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64, "S", T0)
    with database.begin() as session:
        reception.register(session, [instance])
    with database.begin() as session:
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        worklist.series(session, "1.2.3").state = "scored"
        revisions.record_documents(
            session, revision.id, [WrittenDocument("SR", "1", "9", "9", (str(report),))],
            destinations=[("PACS", ("SR",))], at=T0,
        )  # fmt: skip
    previews = settings.previews_dir / str(revision.id)
    previews.mkdir(parents=True)
    yield Retention(settings, database, Later()), database, revision.id, (image, report, previews), instance
    database.close()


def deliver(database: Database, revision_id: int) -> None:
    with database.begin() as session:
        (item,) = outbox.contents(session, revision_id, "PACS")
        outbox.delivered(session, item.delivery_id, sop_instance_uid="9", warning="", at=T0)


def test_what_was_not_delivered_never_leaves(node):
    sweep, database, revision_id, files, _ = node
    assert sweep.sweep() == 0
    with database.begin() as session:  # nor when it was given up
        (item,) = outbox.contents(session, revision_id, "PACS")
        outbox.failed(session, [item.delivery_id], detail="no", final=True, max_attempts=1, at=T0)
    assert sweep.sweep() == 0
    assert all(path.exists() for path in files)


def test_what_was_delivered_leaves_whole_and_once(node):
    sweep, database, revision_id, files, _ = node
    deliver(database, revision_id)
    assert sweep.sweep() == 1
    assert not any(path.exists() for path in files)
    assert not files[0].parent.exists()
    assert sweep.sweep() == 0
    with database.read() as session:
        assert worklist.series(session, "1.2.3").state == "delivered"  # the verdict stays
        assert retention.gone(session, "1.2.3") == 1


def test_sent_again_it_is_known_again(node):
    sweep, database, revision_id, files, instance = node
    deliver(database, revision_id)
    sweep.sweep()
    with database.begin() as session:
        assert reception.register(session, [instance]) == 0
        assert retention.gone(session, "1.2.3") == 0
        assert reception.spool_paths(session, "1.2.3", 1) == (files[0],)


@pytest.mark.parametrize(
    ("free_mb", "words"),
    [
        (4000, ""),  # more than 3 × 1024
        (3000, "3000 MB are free; below 1024 MB objects are refused"),
        (1000, "1000 MB are free; objects are refused"),
    ],
)
def test_what_is_said_of_the_disk(monkeypatch, tmp_path, free_mb, words):
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path, "reserve_mb": 1024}})
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free_mb << 20))
    assert disk_words(settings) == words
