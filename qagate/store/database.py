"""The database: engine, sessions and migrations. SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from qagate.errors import SettingsError, StoreError, StoreRefused

READ_ONLY = "qagate_read_only"

BUSY_TIMEOUT_MS = 30_000
"""How long SQLite waits for another process's write before giving up."""

SERVER_PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 30_000,
    # the system's own first question to a server that owes us an answer comes after two hours
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
}
"""How long a database server may keep silent, in s and ms, as libpq names them; a URL may say otherwise."""

_SECRETS = ("password", "sslpassword")

ASK_AGAIN_SECONDS = 1.0
"""A database that was away is not asked again earlier than this."""


class Database:
    """An open database.

    `Database.open(url)` brings the schema up to date; `Database.reach(url)` does so at its first use, for processes
    that start while the database is away. `begin()` gives a session inside one transaction. Every fault of the database
    leaves as StoreError, which is retryable, and a value that it will never take as StoreRefused.
    """

    def __init__(self, engine: Engine, url: str = "") -> None:
        self.engine = engine
        self._url = url
        self._opening = threading.Lock()
        self._opened = threading.Event()
        self._away: StoreError | None = None
        self._away_until = 0.0
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._readers = sessionmaker(engine.execution_options(**{READ_ONLY: True}), expire_on_commit=False)

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> Database:
        """Connect, and migrate unless told otherwise. Raises StoreError, or SettingsError for a malformed URL."""
        database = cls(_engine(url), url)
        database._open(migrate=migrate)
        return database

    @classmethod
    def reach(cls, url: str) -> Database:
        """Return a database that is connected and migrated when it is first used; until then uses raise StoreError."""
        return cls(_engine(url), url)

    def _open(self, *, migrate: bool) -> None:
        try:
            if migrate:
                self.migrate()
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise StoreError(f"the database at {shown(self._url)} cannot be used: {_first_line(error)}") from error
        except CommandError as error:  # a step that this release does not know
            raise StoreError(
                f"the database at {shown(self._url)} was brought up to date by a newer qagate; start that one, "
                f"got: {error}"
            ) from error
        self._opened.set()

    def _reached(self) -> None:
        if self._opened.is_set():
            return
        with self._opening:
            if self._opened.is_set():
                return
            if self._away is not None and time.monotonic() < self._away_until:
                raise StoreError(str(self._away)) from self._away
            try:
                self._open(migrate=True)
            except StoreError as error:
                self._away, self._away_until = error, time.monotonic() + ASK_AGAIN_SECONDS
                raise

    def migrate(self) -> None:
        """Bring the schema to the newest version; safe when several processes start at once."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(7241001)"))  # one migrator at a time
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Give a session in one transaction: committed at the end, rolled back on any error."""
        self._reached()
        try:
            with self._sessions.begin() as session:
                yield session
        except DataError as error:
            raise StoreRefused(f"the database does not take such a value: {_first_line(error)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"the database did not take this: {_first_line(error)}") from error

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that only reads: with SQLite it waits for nobody, and nobody waits for it."""
        self._reached()
        try:
            with self._readers() as session:
                yield session
        except SQLAlchemyError as error:
            raise StoreError(f"the database cannot be read now: {_first_line(error)}") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False})
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_immediate)
            return engine
        patience = {name: value for name, value in SERVER_PATIENCE.items() if name not in parsed.query}
        return create_engine(parsed, pool_pre_ping=True, pool_size=8, max_overflow=8, connect_args=patience)
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(f"storage.database_url is not a database URL: {error}") from None
    except OSError as error:
        raise StoreError(f"the folder of the database cannot be made: {error}") from error


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_immediate
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    # A deferred transaction that turns into a write fails at once when another process wrote in between.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READ_ONLY) else "BEGIN IMMEDIATE")


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def shown(url: str | URL) -> str:
    """Return the address of a database without its passwords; libpq takes them behind the question mark, too."""
    parsed = make_url(url)
    return parsed.set(query={k: "***" if k in _SECRETS else v for k, v in parsed.query.items()}).render_as_string()
