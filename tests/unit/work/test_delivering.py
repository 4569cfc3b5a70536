from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qagate.clock import SystemClock
from qagate.deliver.receipt import Receipt
from qagate.domain.series import StoredInstance
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, SettingsError, Unreachable
from qagate.settings import Settings
from qagate.store import outbox, reception, revisions
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import DeliveryRow
from qagate.work import delivering
from qagate.work.delivering import Courier

T0 = datetime(2026, 11, 1, tzinfo=UTC)
PACS = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": 104, "max_attempts": 3}


@pytest.fixture
def courier(tmp_path: Path):
    """A courier with an SR, an SC and a KO for one destination."""
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}, "destinations": [PACS]})
    database = Database.open(settings.database_url)
    with database.begin() as session:
        reception.register(
            session, [StoredInstance(tmp_path / "1.dcm", "1", "2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64, "S", T0)]
        )
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        assert revision is not None
        revisions.record_documents(
            session,
            revision.id,
            [WrittenDocument(kind, "2", f"9.{n}", "9", (f"/out/9.{n}.dcm",)) for n, kind in enumerate(KINDS)],
            destinations=[("PACS", KINDS)],
            at=T0,
        )
    yield Courier(settings, database, SystemClock())
    database.close()


KINDS = ("SR", "SC", "KO")


def states(courier: Courier) -> dict[str, tuple[str, str]]:
    with courier.database.read() as session:
        rows = session.query(DeliveryRow).order_by(DeliveryRow.id).all()
        return {kind: (row.state, row.sop_instance_uid) for kind, row in zip(KINDS, rows, strict=True)}


@pytest.mark.parametrize(
    ("kind_of_error", "state"), [(DeliveryError, "planned"), (DeliveryRefused, "parked")], ids=["for now", "for good"]
)
@pytest.mark.parametrize("refused", [{"SR"}, {"SC"}, {"KO"}, {"SR", "SC"}, {"SR", "KO"}, set(KINDS)], ids=sorted)
def test_what_was_refused_is_never_marked_as_sent(courier, monkeypatch, refused, kind_of_error, state):
    # the others behind it are tried all the same, so that receipts are not the first ones of the parcel
    error = kind_of_error("no")
    error.receipts = tuple(Receipt(f"9.{n}", "stored", 0) for n, kind in enumerate(KINDS) if kind not in refused)

    def deliver(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(delivering, "deliver", deliver)
    courier.carry(1, "PACS")
    assert states(courier) == {
        kind: (state, "") if kind in refused else ("sent", f"9.{n}") for n, kind in enumerate(KINDS)
    }


def test_a_refusal_for_good_is_told_from_one_for_now(courier, monkeypatch):
    for error in (DeliveryError("busy"), DeliveryRefused("never")):

        def deliver(*_: object, error: DeliveryError = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(delivering, "deliver", deliver)
        courier.carry(1, "PACS")
        with courier.database.read() as session:
            said = {(row.obstacle, row.detail) for row in session.query(DeliveryRow)}
        assert said == {("refused", "never") if isinstance(error, DeliveryRefused) else ("not_now", "busy")}


def test_what_goes_to_a_destination_that_was_taken_out_waits_until_it_is_back(courier):
    """It could only be tried again by a command that refused the name."""
    gone = Courier(courier.settings.model_copy(update={"destinations": ()}), courier.database, courier.clock)
    gone.carry(1, "PACS")
    with courier.database.begin() as session:
        assert {row.state for row in session.query(DeliveryRow)} == {"parked"}
        assert outbox.resume(session, ["OTHER"], at=T0) == 0
        assert outbox.resume(session, ["OTHER", "PACS"], at=T0) == 3
        assert {parcel.attempt for parcel in outbox.due(session, T0)} == {4}  # an id of its own


@pytest.mark.parametrize("error", [Unreachable("down"), AssociationRejected("busy"), SettingsError("no such file")])
def test_what_is_in_the_way_to_a_destination_parks_nothing(courier, monkeypatch, error):
    def deliver(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(delivering, "deliver", deliver)
    for _ in range(5):
        courier.carry(1, "PACS")
    assert {state for state, _ in states(courier).values()} == {"planned"}
    with courier.database.begin() as session:
        assert {row.obstacle for row in session.query(DeliveryRow)} == {"unreachable"}
        (parcel,) = outbox.due(session, datetime.now(UTC) + timedelta(hours=1))
        assert parcel.attempt == 16  # five tries of three documents


def test_what_waits_goes_as_soon_as_the_destination_took_something(courier, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise Unreachable("down")

    monkeypatch.setattr(delivering, "deliver", away)
    for _ in range(4):
        courier.carry(1, "PACS")
    with courier.database.begin() as session:
        assert outbox.due(session, datetime.now(UTC)) == ()
    with courier.database.read() as session:
        items = outbox.contents(session, 1, "PACS")
    courier._taken(items[:1], (Receipt("9.0", "stored", 0),), courier.settings.destinations[0])
    with courier.database.begin() as session:
        assert len(outbox.due(session, datetime.now(UTC))) == 1
