from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from qagate.store import arrivals, reception, revisions
from qagate.store.database import Database
from qagate.store.tables import Base, InstanceRow
from tests.peers import postgres

from .conftest import T0


def test_the_same_object_again_changes_nothing(database, instance):
    with database.begin() as session:
        assert reception.register(session, [instance(1), instance(2), instance(1, seconds=99)]) == 2
    with database.begin() as session:
        (arrival,) = arrivals.every(session)
    assert (arrival.instances, arrival.last_instance_at) == (2, T0)


def test_other_bytes_under_a_known_uid_are_kept_and_flagged(database, instance):
    with database.begin() as session:
        assert reception.register(session, [instance(1), instance(1, sha="b")]) == 2
        assert revisions.conflicting(session, "1.2.3") == ("1.2.3.1",)


def test_open_and_closed_associations_are_told_apart(database, instance):
    def facts():
        with database.begin() as session:
            (arrival,) = arrivals.every(session)
        return arrival.open_associations, arrival.last_closed_at, arrival.aborted

    with database.begin() as session:
        for name in ("A1", "A2"):
            reception.open_association(
                session, association_id=name, calling_ae_title="S", called_ae_title="Q", host="h", receiver="R1", at=T0
            )
        reception.register(session, [instance(1, association="A1"), instance(2, association="A2")])
    assert facts() == (2, None, False)
    with database.begin() as session:
        reception.close_association(session, association_id="A1", at=T0 + timedelta(seconds=3), aborted=False)
    assert facts() == (1, T0 + timedelta(seconds=3), False)
    with database.begin() as session:
        assert reception.close_all_associations(session, receiver="R2", at=T0 + timedelta(seconds=9)) == 0
        assert reception.close_all_associations(session, receiver="R1", at=T0 + timedelta(seconds=9)) == 1
    assert facts() == (0, T0 + timedelta(seconds=9), True)


def test_a_late_image_reopens_the_series_and_makes_a_new_revision(database, instance):
    with database.begin() as session:
        reception.register(session, [instance(1)])
    with database.begin() as session:
        first = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        assert first is not None
        assert first.number == 1
        assert revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0) is None
    with database.begin() as session:
        reception.register(session, [instance(2, seconds=60)])
    with database.begin() as session:
        second = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        assert second is not None
        assert (second.number, second.digest != first.digest) == (2, True)
        assert len(reception.spool_paths(session, "1.2.3", 1)) == 1
        assert len(reception.spool_paths(session, "1.2.3", 2)) == 2
        assert revisions.workflow_id(second) != revisions.workflow_id(first)


@pytest.mark.peers
@pytest.mark.skipif(not postgres.available(), reason="needs PostgreSQL")
def test_postgresql_takes_the_largest_object(instance):
    with postgres.Postgres() as server:
        database = Database.open(server.url)
        with database.begin() as session:
            assert reception.register(session, [replace(instance(1), size_bytes=4 << 30)]) == 1
            assert session.scalars(select(InstanceRow.size_bytes)).one() == 4 << 30
        with database.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        database.close()


def test_what_came_again_is_looked_for_where_it_lies_now(database, instance):
    """Its file had become none, the new one was written beside it, and the old path stood in the database for ever."""
    first = instance(1)
    moved = replace(first, path=Path("/spool/1.2.3/beside.dcm"), received_at=T0 + timedelta(hours=1))
    for one in (first, moved):
        with database.begin() as session:
            reception.register(session, [one])
    with database.read() as session:
        assert reception.all_paths(session, "1.2.3") == (moved.path,)
