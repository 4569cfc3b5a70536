"""Snapshots of the database: SQLite by its online backup, PostgreSQL by pg_dump and pg_restore.

The work queue's own tables are left out: what is queued is found again from ours (see qagate.work.sweeps).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, inspect, make_url, select, update
from sqlalchemy.orm import Session

from qagate.errors import InputError, SettingsError, StoreError
from qagate.store.database import Database, shown
from qagate.store.tables import DocumentRow, InstanceRow

ENGINE_SCHEMA = "dbos"


def kind_of(database_url: str) -> str:
    """Return "sqlite" or "postgresql"."""
    return make_url(database_url).get_backend_name()


def take(database_url: str, target: Path) -> None:
    """Write a consistent snapshot into a new file, while others go on writing. Raises StoreError or SettingsError."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        _copy_sqlite(Path(str(url.database)), target)
    else:
        _run("pg_dump", url, "--format=custom", f"--exclude-schema={ENGINE_SCHEMA}", f"--file={target}")


def put_back(database_url: str, source: Path) -> None:
    """Fill an empty database from a snapshot. Raises InputError when it is not empty, StoreError or SettingsError."""
    refuse_used(database_url)
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        target = Path(str(url.database))
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_sqlite(source, target)
    else:
        _run("pg_restore", url, "--no-owner", "--single-transaction", "--exit-on-error", str(source))


def refuse_used(database_url: str) -> None:
    """Raise InputError when the database has tables of ours, or its file is there."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        if Path(str(url.database)).exists():
            raise InputError(f"the database must not be there yet, got {url.database}")
        return
    database = Database.open(database_url, migrate=False)
    try:
        tables = inspect(database.engine).get_table_names()
    finally:
        database.close()
    if tables:
        raise InputError(f"the database {shown(url)} must be empty, got {len(tables)} tables")


def move_paths(session: Session, old: Path, new: Path) -> None:
    """Let all files that the database names lie below another folder."""
    before = f"{old}{os.sep}"
    for row in session.execute(select(InstanceRow.id, InstanceRow.path)).all():
        if row.path.startswith(before):
            moved = str(new / row.path.removeprefix(before))
            session.execute(update(InstanceRow).where(InstanceRow.id == row.id).values(path=moved))
    for document in session.scalars(select(DocumentRow)):
        document.variants = [
            str(new / path.removeprefix(before)) if path.startswith(before) else path for path in document.variants
        ]


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise StoreError(f"there is no database to copy, got {source}")
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise StoreError(f"the database {source} cannot be copied: {error}") from error


def _run(program: str, url: URL, *arguments: str) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no list of processes shows it."""
    found = shutil.which(program) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None
    )
    if found is None:
        raise SettingsError(f"{program} must be installed (package postgresql-client) to copy PostgreSQL, got none")
    password = url.password or url.query.get("password")
    address = url.set(drivername="postgresql", password=None).difference_update_query(["password"]).render_as_string()
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    command: Sequence[str] = [found, f"--dbname={address}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise StoreError(f"{program} ended with {done.returncode}: {said}")
