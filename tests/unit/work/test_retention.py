from __future__ import annotations

import errno
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from qagate.clock import SystemClock
from qagate.domain.obstacle import Obstacle
from qagate.domain.series import StoredInstance
from qagate.receive.spool import Spool
from qagate.settings import Settings
from qagate.store import outbox, reception, retention, revisions, worklist
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import DocumentRow, ForwardRow, InstanceRow
from qagate.work import retention as retention_work
from qagate.work.retention import Retention, disk_words

T0 = datetime(2026, 11, 1, tzinfo=UTC)
DATA_SET = b"\x08\x00\x60\x00\x02\x00\x00\x00CT" + b"\x20\x00\x0e\x00\x06\x00\x00\x001.2.3\0"


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
        os.utime(path, (T0.timestamp(), T0.timestamp()))
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
        outbox.failed(session, [item.delivery_id], detail="no", obstacle=Obstacle.REFUSED, max_attempts=1, at=T0)
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


def test_all_that_may_go_goes_in_one_sweep_also_behind_what_stays(node, monkeypatch):
    """Series that were sent again stood first in each batch, and nothing behind them left the disk for a week."""
    sweep, database, revision_id, files, instance = node
    deliver(database, revision_id)
    monkeypatch.setattr(retention_work, "BATCH", 2)
    uids = [f"1.2.{n}" for n in range(4, 9)]
    for uid in uids:
        path = files[0].parent.parent / uid / "1.dcm"
        path.parent.mkdir()
        path.write_bytes(b"x")
        came = Later().now() if uid in ("1.2.4", "1.2.5") else T0
        os.utime(path, (came.timestamp(), came.timestamp()))
        with database.begin() as session:
            reception.register(session, [replace(instance, path=path, series_instance_uid=uid)])
            worklist.series(session, uid).state = "excluded"
    assert sweep.sweep() == 4
    assert sweep.sweep() == 0
    assert sorted(path.name for path in files[0].parent.parent.iterdir()) == ["1.2.4", "1.2.5"]


@pytest.mark.parametrize("state", ["held", "planned", "parked"])
def test_an_image_that_is_to_be_kept_since_it_was_looked_at_is_kept(node, state):
    """What an archive took back and then refused, while others left the disk, was forgotten with its series."""
    _, database, revision_id, _, _ = node
    deliver(database, revision_id)
    with database.begin() as session:
        (image,) = session.scalars(select(InstanceRow.id))
        session.add(ForwardRow(instance_id=image, series_instance_uid="1.2.3", destination="P", state=state,
                               next_attempt_at=T0))  # fmt: skip
    with database.begin() as session:
        later = Later().now()
        assert not retention.forget(session, "1.2.3", before=later, at=later)


@pytest.mark.parametrize("broken", ["image", "report"])
def test_a_file_that_cannot_be_removed_keeps_no_other_on_the_disk(node, monkeypatch, caplog, broken):
    """One bad sector ended each sweep at the oldest series, until the disk was full."""
    sweep, database, revision_id, files, instance = node
    deliver(database, revision_id)
    path = files[0].parent.parent / "1.2.4" / "1.dcm"
    path.parent.mkdir()
    path.write_bytes(b"x")
    os.utime(path, (T0.timestamp(), T0.timestamp()))
    later = replace(instance, path=path, series_instance_uid="1.2.4", received_at=T0 + timedelta(seconds=1))
    with database.begin() as session:
        reception.register(session, [later])
        worklist.series(session, "1.2.4").state = "excluded"
    bad = {"image": files[0], "report": files[1]}[broken]
    remove = Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if bad.name in self.name:
            raise OSError(errno.EIO, "Input/output error")
        remove(self, missing_ok)

    bad.rename(bad.with_name("bad.dcm"))
    bad = bad.with_name("bad.dcm")
    with database.begin() as session:
        session.execute(update(InstanceRow).where(InstanceRow.path == str(files[0])).values(path=str(bad)))
        session.execute(update(DocumentRow).values(variants=[str(bad)]))
    monkeypatch.setattr(Path, "unlink", unlink)
    sweep.sweep()
    assert not path.exists()
    assert "Input/output error" in caplog.text


def test_sent_again_it_is_known_again(node):
    sweep, database, revision_id, files, instance = node
    deliver(database, revision_id)
    sweep.sweep()
    with database.begin() as session:
        assert reception.register(session, [instance]) == 0
        assert retention.gone(session, "1.2.3") == 0
        assert reception.spool_paths(session, "1.2.3", 1) == (files[0],)


def test_an_image_that_comes_while_others_leave_is_not_forgotten_with_its_series(node, monkeypatch):
    sweep, database, revision_id, files, instance = node
    deliver(database, revision_id)
    late = replace(instance, path=files[0].parent / "2.dcm", sop_instance_uid="2", received_at=Later().now())
    late.path.write_bytes(b"y")
    expired = retention.expired

    def then_one_comes(*arguments, **named):
        found = expired(*arguments, **named)
        with database.begin() as other:
            reception.register(other, [late])
        return found

    monkeypatch.setattr(retention, "expired", then_one_comes)
    assert sweep.sweep() == 0
    with database.read() as session:
        assert worklist.series(session, "1.2.3").state == "receiving"
        assert set(reception.all_paths(session, "1.2.3")) == {files[0], late.path}
    assert all(path.exists() for path in (*files, late.path))


def again(sweep: Retention, instance: StoredInstance) -> None:
    """Send the object of the fixture once more."""
    sent = Spool(sweep.settings.spool_dir, 0).store(
        DATA_SET, sop_class_uid="2", sop_instance_uid="1", transfer_syntax_uid="1.2.840.10008.1.2",
        calling_ae_title="S", called_ae_title="Q", received_at=Later().now(),
    )  # fmt: skip
    assert sent.path == instance.path


@pytest.mark.parametrize("when", ["before", "while it leaves"])
def test_what_is_sent_again_at_that_moment_is_not_answered_and_gone(node, monkeypatch, when):
    sweep, database, revision_id, files, instance = node
    files[0].unlink()
    store = Spool(sweep.settings.spool_dir, 0).store
    named = {"sop_class_uid": "2", "sop_instance_uid": "1", "transfer_syntax_uid": "1.2.840.10008.1.2"}
    whole = store(DATA_SET, **named, calling_ae_title="S", called_ae_title="Q", received_at=T0)
    with database.begin() as session:
        session.get(InstanceRow, 1).path = str(whole.path)
    deliver(database, revision_id)
    instance = replace(instance, path=whole.path)
    forget = retention.forget
    if when == "before":
        again(sweep, instance)
    else:
        monkeypatch.setattr(retention, "forget", lambda *a, **b: (forget(*a, **b), again(sweep, instance))[0])
    sweep.sweep()
    assert whole.path.exists()
    assert list(whole.path.parent.glob(".*")) == []


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
