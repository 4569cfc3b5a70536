from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from qagate.errors import SettingsError, StoreError
from qagate.store.database import Database
from qagate.store.tables import Base


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
