"""What a database of an earlier release has in it after the step to this one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, Table, create_engine, text

from qagate import store
from qagate.store.database import Database
from tests.peers import postgres

AT = datetime(2026, 11, 1, tzinfo=UTC)

OLD_PARKED = (
    ("delivery", "PACS", "parked", "for good: 0122 not supported", "refused", "0122 not supported"),
    ("delivery", "GONE", "parked", "there is no destination 'GONE' in the settings any more", "no_destination", None),
    ("delivery", "PACS", "parked", "nobody answers", "not_now", None),
    ("delivery", "PACS", "withdrawn", "for good: no", "refused", "no"),
    ("delivery", "PACS", "planned", "nobody answers", "", None),
    ("forward", "GONE", "parked",
     "there is no destination 'GONE' with originals = true in the settings any more", "no_destination", None),
    ("forward", "PACS", "parked", "A900", "refused", None),
    ("forward", "PACS", "warning", "for good: this is a remark", "", None),
)  # fmt: skip
"""table, destination, state, detail; then the obstacle after 0012, and the detail where it changes."""


def upgrade(connection: Connection, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def add(connection: Connection, table: str, **values: Any) -> None:
    """Add a row to a table as it stands now; what is not given is empty."""
    empty = {str: "", int: 0, bool: False, float: 0.0, datetime: AT, dict: [], list: []}
    known = Table(table, MetaData(), autoload_with=connection)
    missing = {
        column.name: "" if "JSON" in str(column.type) or "CHAR" in str(column.type) else empty[column.type.python_type]
        for column in known.columns
        if not column.nullable and column.server_default is None and column.name not in values
    }
    connection.execute(known.insert().values(**{**missing, **values}))


def obstacles(url: str) -> list[tuple[str, str]]:
    """Return the obstacle and the detail of each of OLD_PARKED after the step."""
    engine = create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0011")
        add(connection, "series", series_instance_uid="1", first_instance_at=AT, last_instance_at=AT)
        add(connection, "revision", id=1, series_instance_uid="1", last_instance_at=AT, created_at=AT)
        for number, (table, destination, state, detail, *_) in enumerate(OLD_PARKED, start=1):
            its = {"destination": destination, "state": state, "detail": detail, "next_attempt_at": AT}
            if table == "delivery":
                add(connection, "document", id=number, revision_id=1, kind=str(number), variants=[], created_at=AT)
                add(connection, table, id=number, document_id=number, **its)
            else:
                add(connection, "instance", id=number, series_instance_uid="1", sop_instance_uid=str(number),
                    received_at=AT)  # fmt: skip
                add(connection, table, id=number, instance_id=number, **its)
    engine.dispose()
    database = Database.open(url)
    with database.read() as session:
        found = [
            tuple(session.execute(text(f"SELECT obstacle, detail FROM {table} WHERE id = {number}")).one())
            for number, (table, *_) in enumerate(OLD_PARKED, start=1)
        ]
    database.close()
    return found


EXPECTED = [(obstacle, detail if said is None else said) for *_, detail, obstacle, said in OLD_PARKED]


def test_0012_gives_what_was_parked_its_obstacle_by_its_wording(tmp_path):
    assert obstacles(f"sqlite:///{tmp_path / 'q.db'}") == EXPECTED


@pytest.mark.peers
@pytest.mark.skipif(not postgres.available(), reason="needs PostgreSQL")
def test_0012_does_so_on_postgresql():
    with postgres.Postgres() as server:
        assert obstacles(server.url) == EXPECTED
