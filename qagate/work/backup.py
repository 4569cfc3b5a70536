"""Backup and restore: database, spool, outbox, pictures and the list of settings, checked by digests.

The database is copied first: every file that it names was there then. Objects that come later are in the spool alone,
and are adopted when the restored node starts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from qagate import __version__
from qagate.clock import Clock
from qagate.errors import InputError, StoreError
from qagate.settings import Settings
from qagate.store import database, snapshot
from qagate.store.database import Database

SCHEMA = "qagate.backup/1"
MANIFEST = "manifest.json"
DATABASE = "database"
FOLDERS = ("spool", "outbox", "previews")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: when it was made, how many files, how many bytes."""

    made_at: datetime
    files: int
    bytes: int


def backup(settings: Settings, target: Path, clock: Clock) -> Backup:
    """Write a backup into a folder that is new or empty; the node may run. Raises InputError or StoreError.

    The manifest is written last: a folder without one is no backup. Of one that fails nothing is left.
    """
    _refuse_used(target, "the folder of the backup")
    try:
        with _all_or_nothing(target):
            target.mkdir(parents=True, exist_ok=True)
            target.chmod(0o700)  # there is patient data in it
            now = clock.now()
            snapshot.take(settings.database_url, target / DATABASE)
            files = [_entry(target, target / DATABASE)]
            for name in FOLDERS:
                files += _copied(settings.storage.data_dir.absolute() / name, target / name, target)
            manifest = {
                "schema": SCHEMA,
                "qagate": __version__,
                "made_at": now.isoformat(),
                "database": snapshot.kind_of(settings.database_url),
                "data_dir": str(settings.storage.data_dir.absolute()),
                "settings": _without_secrets(settings),
                "files": files,
            }
            _write(target / MANIFEST, json.dumps(manifest, indent=1).encode())
    except OSError as error:
        raise StoreError(f"the backup cannot be written: {error}") from error
    return Backup(now, len(files), sum(int(file["bytes"]) for file in files))


def restore(settings: Settings, source: Path) -> Backup:
    """Fill an empty data folder and an empty database from a backup, after every digest has been checked.

    Raises InputError when the backup is damaged or there is something to overwrite, and StoreError. When it fails the
    data folder is as empty as before: a node that starts on half of a spool would take all of it for new.
    """
    manifest = _manifest(source)
    kind = snapshot.kind_of(settings.database_url)
    if manifest["database"] != kind:
        raise InputError(f"the backup holds {manifest['database']}, and storage.database_url must be such, got {kind}")
    folder = settings.storage.data_dir.absolute()
    _refuse_used(folder, "the data folder")
    snapshot.refuse_used(settings.database_url)
    for file in manifest["files"]:
        _check(source, file)
    try:
        with _all_or_nothing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in FOLDERS:
                if (source / name).is_dir():
                    list(_copied(source / name, folder / name, folder))
            snapshot.put_back(settings.database_url, source / DATABASE)
            opened = Database.open(settings.database_url)  # migrated, when the backup is older than this program
            try:
                with opened.begin() as session:
                    snapshot.move_paths(session, Path(manifest["data_dir"]), folder)
            finally:
                opened.close()
    except OSError as error:
        raise StoreError(f"the backup cannot be put back: {error}") from error
    files = manifest["files"]
    return Backup(datetime.fromisoformat(manifest["made_at"]), len(files), sum(file["bytes"] for file in files))


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Take away what lies in a folder that was new or empty when what fills it fails, also when it is interrupted."""
    new = not folder.exists()
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in list(folder.iterdir()):
                if path.is_dir() and path.name != "lost+found":
                    shutil.rmtree(path, ignore_errors=True)
                elif not path.is_dir():
                    path.unlink()
            if new:
                folder.rmdir()
        raise


def _manifest(source: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no whole backup in this folder ({MANIFEST} is missing), got {source}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"the backup's {MANIFEST} cannot be read, got {type(error).__name__}: {source}") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise InputError(f"the backup must be of schema {SCHEMA}, got {source}")
    return manifest


def _check(source: Path, file: dict[str, Any]) -> None:
    path = source / str(file["path"])
    if not path.resolve().is_relative_to(source.resolve()):
        raise InputError(f"the backup names a file outside of itself, got {file['path']}")
    try:
        found = _entry(source, path)
    except OSError as error:
        raise InputError(f"the backup is damaged: {path} cannot be read ({error.strerror})") from None
    if found != file:
        raise InputError(f"the backup is damaged: the digest of {path} must be {file['sha256']}, got {found['sha256']}")


def _copied(source: Path, target: Path, root: Path) -> Iterator[dict[str, Any]]:
    """Copy a folder and yield an entry for each file; what goes away meanwhile is left out, and so are half files."""
    for path in _below(source):
        if path.suffix == ".part" or not path.is_file():
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, copy)  # with its time, which is the time of reception
        except FileNotFoundError:
            continue  # retention was quicker
        descriptor = os.open(copy, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield _entry(root, copy)


def _below(folder: Path) -> list[Path]:
    """Return the files below a folder that may change meanwhile: one that goes away is left out, none that is there."""

    def fault(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error  # a folder that may not be read must not be missing without a word

    return sorted(Path(where, name) for where, _, names in os.walk(folder, onerror=fault) for name in names)


def _entry(root: Path, path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"path": path.relative_to(root).as_posix(), "bytes": size, "sha256": digest.hexdigest()}


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _refuse_used(folder: Path, what: str) -> None:
    try:
        # a file system of its own has a folder for what is found in a check
        used = folder.exists() and (not folder.is_dir() or any(path.name != "lost+found" for path in folder.iterdir()))
    except OSError as error:
        raise InputError(f"{what} cannot be read, got {error.strerror}: {folder}") from None
    if used:
        raise InputError(f"{what} must be new or empty, because nothing is overwritten, got {folder}")


def _without_secrets(settings: Settings) -> dict[str, Any]:
    shown = settings.model_dump(mode="json")
    for destination in shown["destinations"]:
        if destination.get("token"):
            destination["token"] = "(left out)"
    url = settings.storage.database_url
    if url:
        shown["storage"]["database_url"] = database.shown(url)
    return shown
