from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from qagate.domain.holding import Cause
from qagate.store import holding, reception, worklist
from qagate.store.tables import ForwardRow, InstanceRow

from .conftest import T0

LATER = T0 + timedelta(seconds=60)
UNTIL = T0 + timedelta(seconds=900)


@pytest.fixture
def held(database, instance):
    """One series of two images, held until UNTIL."""
    with database.begin() as session:
        reception.register(session, [instance(1), instance(2)])
        _originals(session)
        assert [first.series_instance_uid for first in holding.undecided(session)] == ["1.2.3"]
        assert holding.hold(session, "1.2.3", policy="gate", at=T0, until=UNTIL)
    return database


def _originals(session):
    session.flush()
    known = {row.instance_id for row in session.query(ForwardRow)}
    for row in session.query(InstanceRow):
        if row.id not in known:
            session.add(
                ForwardRow(
                    instance_id=row.id, series_instance_uid=row.series_instance_uid, destination="PACS", state="held",
                    next_attempt_at=T0,
                )
            )  # fmt: skip


def states(session):
    return [row.state for row in session.query(ForwardRow).order_by(ForwardRow.id)]


def shown(session):
    row = worklist.series(session, "1.2.3")
    session.refresh(row)
    return row.holding, row.held_until


def trail(session):
    return [(e.what, e.detail) for e in worklist.events(session, "1.2.3")]


def test_held_images_wait_and_are_shown_so(held):
    with held.read() as session:
        assert states(session) == ["held", "held"]
        assert shown(session) == ("held", UNTIL)
        assert holding.waiting(session) == (holding.Waiting("1.2.3", "gate", T0, UNTIL),)
        assert holding.undecided(session) == ()


@pytest.mark.parametrize("cause", [Cause.ACCEPTED, Cause.DEADLINE, Cause.STAT])
def test_let_go_once(held, cause):
    with held.begin() as session:
        assert holding.let_go(session, "1.2.3", cause, at=LATER)
        assert not holding.let_go(session, "1.2.3", Cause.FAILED, at=LATER)
        assert states(session) == ["planned", "planned"]
        assert {row.urgent for row in session.query(ForwardRow)} == {cause is Cause.STAT}
        assert shown(session) == ("released", None)
        assert [what for what, _ in trail(session)] == ["held", "released"]


def test_a_person_releases_with_name_and_reason(held):
    with held.begin() as session:
        assert holding.release(session, "1.2.3", by="ann", reason="patient\n waits", at=LATER)
        assert not holding.release(session, "1.2.3", by="ben", reason="", at=LATER)
        assert trail(session)[-1] == ("released", "a person released it; by ann: patient waits")
        assert not holding.release(session, "9.9", by="ann", reason="", at=LATER)


def test_a_rejected_series_stays_past_its_deadline_and_can_still_be_released(held):
    with held.begin() as session:
        assert holding.reject(session, "1.2.3", by="ann", reason="moved", code="motion_blur", at=LATER)
        assert states(session) == ["rejected", "rejected"]
        assert holding.waiting(session) == ()
        assert not holding.let_go(session, "1.2.3", Cause.DEADLINE, at=UNTIL)
        assert holding.get(session, "1.2.3").note == "asked"
        assert shown(session) == ("rejected", None)
    with held.begin() as session:
        assert holding.release(session, "1.2.3", by="ben", reason="", at=UNTIL)
        assert states(session) == ["planned", "planned"]
        assert holding.get(session, "1.2.3").note == ""  # it had not been written


def test_a_note_that_was_written_is_to_be_withdrawn(held):
    with held.begin() as session:
        holding.reject(session, "1.2.3", by="ann", reason="", at=LATER)
        holding.get(session, "1.2.3").note = "written"
        holding.release(session, "1.2.3", by="ann", reason="", at=LATER)
        assert holding.get(session, "1.2.3").note == "withdraw"


def test_rejecting_twice_is_one_rejection(held):
    with held.begin() as session:
        for _ in range(2):
            assert holding.reject(session, "1.2.3", by="ann", reason="", at=LATER)
        assert holding.get(session, "1.2.3").rejections == 1


def test_a_series_that_was_never_held_can_be_rejected_and_taken_back(database, instance):
    with database.begin() as session:
        reception.register(session, [instance(1)])
        assert not holding.release(session, "1.2.3", by="ann", reason="", at=T0)
        assert not holding.reject(session, "9.9", by="ann", reason="", at=T0)
        assert holding.reject(session, "1.2.3", by="ann", reason="", at=T0)
        assert holding.release(session, "1.2.3", by="ann", reason="", at=T0)


@pytest.mark.parametrize("decided", ["release", "reject"])
def test_late_images_go_at_once_whatever_was_decided(held, instance, decided):
    with held.begin() as session:
        getattr(holding, decided)(session, "1.2.3", by="ann", reason="", at=LATER)
        before = states(session)
        reception.register(session, [instance(3, seconds=70)])
        _originals(session)
        assert holding.late(session, at=LATER) == 1
        assert states(session) == [*before, "planned"]


def test_what_was_forwarded_long_ago_is_not_gone_through_to_find_what_waits(held):
    """A sweep of twice a second took longer with every image that ever was forwarded."""
    plans: list[str] = []
    with held.begin() as session:

        def explained(connection, _cursor, statement, parameters, *_):
            if statement.startswith("SELECT") and "forward" in statement:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.extend(row[3] for row in rows)

        event.listen(held.engine, "after_cursor_execute", explained)
        holding.undecided(session)
        assert not holding.any_late(session)
        event.remove(held.engine, "after_cursor_execute", explained)
    assert [plan for plan in plans if plan.startswith("SCAN forward")] == []
    assert any("ix_forward_destination_state_urgent (destination=? AND state=?)" in plan for plan in plans)
