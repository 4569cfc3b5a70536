from __future__ import annotations

import os
import socket

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from qagate.errors import SettingsError, StoreError
from qagate.store.database import Database
from qagate.store.tables import Base
from tests.peers import postgres


def test_the_migrations_make_exactly_the_tables_in_the_code(database):
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_faults_leave_as_store_errors(database):
    with pytest.raises(StoreError, match="no such table"), database.begin() as session:
        session.execute(text("SELECT * FROM nowhere"))


@pytest.mark.parametrize("url", ["postgres:no", "oracle99://x/y"])
def test_a_malformed_url_is_a_settings_error(url):
    with pytest.raises(SettingsError, match="database_url"):
        Database.open(url)


def test_a_database_that_is_reached_later_is_migrated_at_its_first_use(tmp_path):
    database = Database.reach(f"sqlite:///{tmp_path / 'q.db'}")
    assert not (tmp_path / "q.db").exists()
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM series")).scalar() == 0
    database.close()


def test_a_server_that_is_away_is_a_store_error_at_each_use_and_is_not_asked_for_each(monkeypatch):
    database, asked = Database.reach("postgresql+psycopg://qagate@127.0.0.1:1/qagate"), []
    opening = Database._open
    monkeypatch.setattr(Database, "_open", lambda self, migrate: (asked.append(1), opening(self, migrate=migrate)))
    for _ in range(3):
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/qagate cannot be used"), database.read():
            raise AssertionError("unreachable")
    assert len(asked) == 1
    database.close()


def test_a_database_of_a_newer_release_is_said_to_be_one(tmp_path):
    url = f"sqlite:///{tmp_path / 'q.db'}"
    database = Database.open(url)
    with database.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreError, match=r"by a newer qagate; start that one, got: .*'9999'"):
        Database.open(url)


@pytest.mark.peers
@pytest.mark.skipif(not postgres.available(), reason="needs PostgreSQL")
def test_a_server_that_owes_an_answer_is_soon_asked_whether_it_is_there():
    with postgres.Postgres() as server:
        database = Database.open(server.url)
        with database.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            with socket.socket(fileno=os.dup(raw.fileno())) as ours:
                asked = [ours.getsockopt(socket.IPPROTO_TCP, o) for o in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]
        database.close()
    assert asked == [10, 5]
