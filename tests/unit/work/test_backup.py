from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from qagate.clock import SystemClock
from qagate.errors import InputError, SettingsError, StoreError
from qagate.receive.spool import Spool
from qagate.settings import Settings
from qagate.store import outbox, reception, revisions, snapshot
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import InstanceRow
from qagate.work.backup import backup, restore
from tests.peers.postgres import Postgres
from tests.peers.postgres import available as postgres_available
from tests.unit.receive.scanner import found_in
from tests.unit.work.test_receiving import T0, put

SECRET = "s3cret-token"


def settings_in(folder: Path, database_url: str | None = None) -> Settings:
    storage = {"data_dir": folder, "reserve_mb": 0} | ({"database_url": database_url} if database_url else {})
    web = {"name": "WEB", "kind": "stow", "url": "https://pacs/dicom-web", "token": SECRET}
    return Settings.model_validate({"storage": storage, "destinations": [web]})


def filled(settings: Settings) -> None:
    """A series in the spool, and a report that waits for its delivery."""
    spool = Spool(settings.spool_dir, 0)
    settings.outbox_dir.mkdir(parents=True)
    report = settings.outbox_dir / "9.1.dcm"
    report.write_bytes(b"a report")
    database = Database.open(settings.database_url)
    with database.begin() as session:
        reception.register(session, [put(spool, 1), put(spool, 2)])
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        revisions.record_documents(session, revision.id, [WrittenDocument("SR", "2", "9.1", "9", (str(report),))],
                                   destinations=[("WEB", ("SR",))], at=T0)  # fmt: skip
    database.close()


def whole(settings: Settings) -> None:
    """Check that everything is there, and where the database says."""
    database = Database.open(settings.database_url)
    with database.read() as session:
        paths = [Path(path) for path in session.scalars(select(InstanceRow.path))]
        (parcel,) = outbox.due(session, T0)
        (item,) = outbox.contents(session, parcel.revision_id, parcel.destination)
    database.close()
    assert len(paths) == 2
    assert all(path.is_file() and path.is_relative_to(settings.spool_dir) for path in paths)
    assert Path(item.variants[0]).read_bytes() == b"a report"
    assert Path(item.variants[0]).is_relative_to(settings.outbox_dir)
    # what the spool says of itself is the same: nothing is adopted anew
    known = frozenset(str(path) for path in paths)
    assert found_in(Spool(settings.spool_dir, 0), known) == []


@pytest.fixture
def copied(tmp_path) -> Path:
    """A backup."""
    settings = settings_in(tmp_path / "old")
    filled(settings)
    backup(settings, tmp_path / "backup", SystemClock())
    return tmp_path / "backup"


def test_it_comes_back_in_another_place(copied, tmp_path):
    settings = settings_in(tmp_path / "new")
    made = restore(settings, copied)
    assert made.files == 1 + 2 + 1
    whole(settings)
    assert SECRET not in (copied / "manifest.json").read_text()


@pytest.mark.parametrize("name", ["database", "spool", "outbox"])
def test_a_damaged_backup_is_refused_before_anything_is_written(copied, tmp_path, name):
    victim = next(path for path in sorted((copied / name).rglob("*") if name != "database" else [copied / name])
                  if path.is_file())  # fmt: skip
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))
    with pytest.raises(InputError, match=rf"damaged: the digest of .*{victim.name} must be"):
        restore(settings_in(tmp_path / "new"), copied)
    assert not (tmp_path / "new").exists()


def test_a_missing_file_a_foreign_path_and_a_half_backup_are_refused(copied, tmp_path):
    new = settings_in(tmp_path / "new")
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["files"][0]["path"] = "../../etc/passwd"
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="outside of itself"):
        restore(new, copied)
    (copied / "manifest.json").unlink()
    with pytest.raises(InputError, match="no whole backup"):
        restore(new, copied)
    assert not (tmp_path / "new").exists()


def test_a_disk_of_its_own_is_empty(copied, tmp_path):
    """Nobody but root could have made it so, and a container has no root."""
    (tmp_path / "new" / "lost+found").mkdir(parents=True)
    restore(settings_in(tmp_path / "new"), copied)
    whole(settings_in(tmp_path / "new"))


def test_nothing_is_overwritten(copied, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "something").touch()
    with pytest.raises(InputError, match="data folder must be new or empty"):
        restore(settings_in(tmp_path / "new"), copied)
    elsewhere = settings_in(tmp_path / "newer", f"sqlite:///{tmp_path / 'old' / 'qagate.db'}")
    with pytest.raises(InputError, match="database must not be there yet"):
        restore(elsewhere, copied)
    with pytest.raises(InputError, match="folder of the backup must be new or empty"):
        backup(settings_in(tmp_path / "old"), copied, SystemClock())


def test_a_backup_is_consistent_while_others_write(tmp_path):
    settings = settings_in(tmp_path / "old")
    filled(settings)
    database, spool = Database.open(settings.database_url), Spool(settings.spool_dir, 0)
    told = threading.Event()

    def write() -> None:
        number = 10
        while not told.is_set():
            with database.begin() as session:
                reception.register(session, [put(spool, number)])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup(settings, tmp_path / "backup", SystemClock())
    finally:
        told.set()
        writer.join()
        database.close()
    new = settings_in(tmp_path / "new")
    restore(new, tmp_path / "backup")
    restored = Database.open(new.database_url)
    with restored.read() as session:
        paths = session.scalars(select(InstanceRow.path)).all()
    restored.close()
    assert len(paths) >= 2
    assert all(Path(path).is_file() for path in paths)  # every file that the database names is there


def test_a_folder_that_leaves_the_disk_meanwhile_is_left_out_and_one_that_cannot_be_read_is_not(tmp_path, monkeypatch):
    """The first ended the backup, the second was missing in it without a word."""
    settings = settings_in(tmp_path / "old")
    filled(settings)
    (series,) = {path.parent for path in settings.spool_dir.rglob("*.dcm")}
    listed, fault = os.scandir, FileNotFoundError

    def scandir(path):
        if Path(path) == series:
            raise fault(2, "it has gone", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", scandir)
    assert backup(settings, tmp_path / "one", SystemClock()).files == 1 + 1
    fault = PermissionError
    with pytest.raises(StoreError, match="cannot be written"):
        backup(settings, tmp_path / "two", SystemClock())


def test_of_a_backup_that_fails_nothing_is_left_and_the_next_one_may_use_the_folder(tmp_path, monkeypatch):
    """What was left of the first refused every further one: the folder was not empty."""
    settings = settings_in(tmp_path / "old")
    filled(settings)
    (tmp_path / "disk").mkdir()
    for target in (tmp_path / "disk", tmp_path / "new one"):
        with monkeypatch.context() as patched:
            patched.setattr("qagate.work.backup._write", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
            with pytest.raises(StoreError, match="cannot be written"):
                backup(settings, target, SystemClock())
        assert target.exists() is (target.name == "disk")
        assert backup(settings, target, SystemClock()).files == 4


def test_of_a_restore_that_fails_nothing_is_left(copied, tmp_path, monkeypatch):
    """A node that was started on it took the whole spool for new, and forwarded it again."""
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "move_paths", lambda *_: (_ for _ in ()).throw(StoreError("away")))
        with pytest.raises(StoreError, match="away"):
            restore(settings_in(tmp_path / "new"), copied)
    assert not (tmp_path / "new").exists()
    restore(settings_in(tmp_path / "new"), copied)
    whole(settings_in(tmp_path / "new"))


def test_without_pg_dump_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    with pytest.raises(SettingsError, match=r"pg_dump must be installed \(package postgresql-client\)"):
        snapshot.take("postgresql+psycopg://q:p@127.0.0.1:1/q", tmp_path / "x")


@pytest.mark.peers
@pytest.mark.skipif(not postgres_available(), reason="needs PostgreSQL")
def test_postgresql_comes_back_too(tmp_path):
    with Postgres() as old, Postgres() as new:
        settings = settings_in(tmp_path / "old", old.url)
        filled(settings)
        backup(settings, tmp_path / "backup", SystemClock())
        with pytest.raises(InputError, match="must be empty, got"):
            restore(settings_in(tmp_path / "other", old.url), tmp_path / "backup")
        there = settings_in(tmp_path / "new", new.url)
        restore(there, tmp_path / "backup")
        whole(there)
