"""Old rows leave the database; what is needed, and what people did, stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from qagate.clock import SystemClock
from qagate.domain.series import StoredInstance
from qagate.settings import Settings
from qagate.store import audit, commitments, forwarding, reception, worklist
from qagate.store.database import Database
from qagate.store.events import event
from qagate.store.routing import Route, Routing
from qagate.store.tables import (
    AssociationRow,
    AuditRow,
    Base,
    CommitmentRow,
    EventRow,
    ForwardRow,
    InquiryRow,
    InstanceRow,
)
from qagate.work import pruning as pruning_work
from qagate.work.pruning import Pruning

NOW = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
LONG_AGO, LATELY = NOW - timedelta(days=91), NOW - timedelta(days=89)
TO = Routing((Route("PACS", "PACS"),), holds=False)


class Then(SystemClock):
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def pruning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pruning]:
    monkeypatch.setattr(pruning_work, "BATCH", 2)  # so that all goes over pages
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}})
    database = Database.open(settings.database_url)
    yield Pruning(settings, database, Then(), rest=lambda _: None)
    database.close()


def left(pruning: Pruning, column: object) -> list[object]:
    with pruning.database.read() as session:
        return list(session.scalars(select(column).order_by(column)))


def test_the_trail_goes_after_its_time_and_what_people_did_stays(pruning):
    with pruning.database.begin() as session:
        for days in (500, 401, 3, 450, 399, 1000, 420):
            event(session, NOW - timedelta(days=days), f"{days}", "1.2.3")
        audit.record(session, "ann", "series_rejected", "1.2.3", "", NOW - timedelta(days=3000))
    # what came in another order, around a step of the clock, goes too; the latest stays, or its number came again
    assert pruning.sweep() == 4
    assert left(pruning, EventRow.what) == ["3", "399", "420"]
    assert len(left(pruning, AuditRow.id)) == 1
    assert pruning.sweep() == 0


def image(number: int, series: str, at: datetime, association: str = "") -> StoredInstance:
    return StoredInstance(
        Path(f"/spool/{number}.dcm"),
        f"{number}",
        "2",
        "3",
        series,
        "1.2",
        "CT",
        1,
        f"{number:064d}",
        "S",
        at,
        association,
    )


def test_ways_of_images_go_when_they_ended_and_the_file_has_left_long_ago(pruning):
    """state, file gone since: only what ended and left long ago goes."""
    ways = [("sent", LONG_AGO), ("committed", LONG_AGO), ("given_up", LONG_AGO), ("warning", LONG_AGO)]
    stay = [
        ("sent", None),
        ("sent", LATELY),
        *((state, LONG_AGO) for state in ("planned", "held", "parked", "rejected")),
    ]
    with pruning.database.begin() as session:
        came = LONG_AGO - timedelta(days=9)
        reception.register(session, [image(n, "1.2.3", came) for n in range(len(ways + stay))], TO)
        rows = zip(session.scalars(select(ForwardRow).order_by(ForwardRow.id)), ways + stay, strict=True)
        for row, (state, left_at) in rows:
            row.state = state
            session.get_one(InstanceRow, row.instance_id).deleted_at = left_at
    assert pruning.sweep() == 4
    assert sorted(left(pruning, ForwardRow.state)) == sorted(state for state, _ in stay)


def test_an_image_that_is_sent_again_after_its_way_was_forgotten_goes_again(pruning):
    with pruning.database.begin() as session:
        reception.register(session, [image(1, "1.2.3", LONG_AGO)], TO)
        session.scalars(select(ForwardRow)).one().state = forwarding.SENT
        session.scalars(select(InstanceRow)).one().deleted_at = LONG_AGO
    assert pruning.sweep() == 1
    with pruning.database.begin() as session:
        reception.register(session, [image(1, "1.2.3", NOW)], TO)
    assert left(pruning, ForwardRow.state) == ["planned"]


def test_a_way_that_is_needed_again_since_it_was_looked_at_stays(pruning, monkeypatch):
    with pruning.database.begin() as session:
        reception.register(session, [image(1, "1.2.3", LONG_AGO)], TO)
        session.scalars(select(ForwardRow)).one().state = forwarding.SENT
        session.scalars(select(InstanceRow)).one().deleted_at = LONG_AGO
    looking = pruning_work.pruning.page

    def then_it_comes_again(session, kind, **named):
        found = looking(session, kind, **named)
        if found.keys:
            with pruning.database.begin() as other:
                reception.register(other, [image(1, "1.2.3", NOW)], TO)
        return found

    monkeypatch.setattr(pruning_work.pruning, "page", then_it_comes_again)
    assert pruning.sweep() == 0
    assert left(pruning, ForwardRow.state) == ["planned"]


def test_associations_go_unless_an_image_of_theirs_is_still_there(pruning):
    with pruning.database.begin() as session:
        for name, closed_at in {
            "old": LONG_AGO,
            "older": LONG_AGO,
            "full": LONG_AGO,
            "new": LATELY,
            "open": None,
        }.items():
            session.add(
                AssociationRow(id=name, calling_ae_title="S", called_ae_title="Q", host="h", opened_at=LONG_AGO,
                               closed_at=closed_at)
            )  # fmt: skip
        reception.register(session, [image(1, "1.2.3", LONG_AGO, "full")])
    assert pruning.sweep() == 2
    assert left(pruning, AssociationRow.id) == ["full", "new", "open"]


def test_requests_for_commitment_go_when_they_were_answered(pruning):
    with pruning.database.begin() as session:
        for number, (state, at) in enumerate(
            [("answered", LONG_AGO), ("given_up", LONG_AGO), ("waiting", LONG_AGO), ("answered", LATELY)]
        ):
            commitments.ask(
                session, transaction_uid=f"{number}", calling_ae_title="S", host="h", instances=[("1", "2")], at=at
            )
            session.flush()
            session.scalars(
                select(CommitmentRow).where(CommitmentRow.transaction_uid == f"{number}")
            ).one().state = state
    assert pruning.sweep() == 2
    assert sorted(left(pruning, CommitmentRow.state)) == ["answered", "waiting"]


def test_questions_about_series_go_when_these_ended_or_are_gone(pruning):
    with pruning.database.begin() as session:
        reception.register(session, [image(1, "ended", LONG_AGO), image(2, "open", LONG_AGO)])
        worklist.series(session, "ended").state = "delivered"
        for uid, asked_at in {"ended": LONG_AGO, "open": LONG_AGO, "gone": None, "gone lately": LATELY}.items():
            session.add(InquiryRow(series_instance_uid=uid, destination="PACS", asked_at=asked_at))
    assert pruning.sweep() == 2
    assert left(pruning, InquiryRow.series_instance_uid) == ["gone lately", "open"]


def test_a_sweep_ends_after_a_while_and_the_next_one_goes_on(pruning, monkeypatch):
    with pruning.database.begin() as session:
        for _ in range(9):
            event(session, NOW - timedelta(days=500), "old")
    now = iter(range(0, 10_000, 25))
    monkeypatch.setattr(Then, "monotonic_seconds", lambda _: next(now))
    assert 0 < pruning.sweep() < 8
    monkeypatch.setattr(Then, "monotonic_seconds", lambda _: 0.0)
    pruning.sweep()
    assert len(left(pruning, EventRow.id)) == 1


def test_every_table_that_is_pruned_is_meant_to_be(pruning):
    """Nothing that people decided, no verdict and no audit trail is among them."""
    tables: set[type[Base]] = {kind.table for kind in pruning._kinds(NOW)}
    assert tables == {EventRow, AssociationRow, CommitmentRow, InquiryRow, ForwardRow}
