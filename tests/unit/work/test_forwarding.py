from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qagate.clock import SystemClock
from qagate.deliver.receipt import Receipt
from qagate.domain.series import StoredInstance
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, Unreachable
from qagate.settings import Settings
from qagate.store import forwarding, holding, reception, worklist
from qagate.store.database import Database
from qagate.store.routing import Routing
from qagate.store.tables import AssessmentRow, ForwardRow, RevisionRow
from qagate.work import arrival as arrival_work
from qagate.work import forwarding as forwarding_work
from qagate.work.forwarding import Lane
from qagate.work.holding import Holds

T0 = datetime(2026, 11, 1, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
UID = "1.2.3"


class Hand(SystemClock):
    """A clock that stands where it is put."""

    at = T0

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def lane(tmp_path: Path):
    """A lane with a series of three images, which a policy may hold."""
    settings = Settings.model_validate(
        {
            "storage": {"data_dir": tmp_path},
            "destinations": [{"name": "PACS", "ae_title": "PACS", "host": "h", "port": 104, "originals": True}],
            "policies": [{"name": "gate", "action": "hold", "hold_seconds": 60}],
        }
    )
    database = Database.open(settings.database_url)
    with database.begin() as session:
        reception.register(
            session,
            [
                StoredInstance(tmp_path / f"{n}.dcm", f"9.{n}", CT, "1.2", UID, "1", "CT", 1, "a", "S", T0)
                for n in "123"
            ],
            Routing.of(settings),
        )
    yield Lane(settings, settings.destinations[0], database, Hand(), "here")
    database.close()


def states(lane: Lane) -> list[str]:
    with lane.database.read() as session:
        return [row.state for row in session.query(ForwardRow).order_by(ForwardRow.id)]


def plan(lane: Lane) -> None:
    with lane.database.begin() as session:
        session.query(ForwardRow).update({"state": "planned"})


def answering(monkeypatch, *answers) -> None:
    """Let the destination answer each image with one of these; an error of the association is raised."""

    def forward(originals, destination, *, calling_ae_title):
        for original, answer in zip(originals, answers, strict=False):
            if isinstance(answer, Unreachable):
                raise answer
            yield original, answer or Receipt(original.sop_instance_uid, "stored", 0)

    monkeypatch.setattr(forwarding_work, "forward", forward)


def test_what_is_held_is_not_carried(lane, monkeypatch):
    answering(monkeypatch, None, None, None)
    assert lane.carry() == 0
    assert states(lane) == ["held"] * 3


def test_each_image_gets_its_own_answer(lane, monkeypatch):
    plan(lane)
    answering(monkeypatch, None, DeliveryError("not now"), DeliveryRefused("never"))
    assert lane.carry() == 3
    assert states(lane) == ["sent", "planned", "parked"]
    assert lane.carry() == 0  # it waits


@pytest.mark.parametrize(("rival", "state"), [("9.2", "parked"), ("9.9", "warning")])
def test_what_an_archive_does_not_take_because_it_has_other_bytes_is_not_given_away(lane, monkeypatch, rival, state):
    """The second pixels under one UID counted as delivered, and left the disk a week later: nobody had them."""
    other = StoredInstance(Path("/spool/other.dcm"), rival, CT, "1.2", UID, "1", "CT", 1, "b", "S", T0)
    with lane.database.begin() as session:
        reception.register(session, [other], Routing.of(lane.settings))
    plan(lane)
    duplicate = Receipt("9.2", "warning", 0x0111, "duplicate SOP instance")
    answering(monkeypatch, None, duplicate, None, None)
    lane.carry()
    assert states(lane) == ["sent", state, "sent", "sent"]
    with lane.database.read() as session:
        detail = session.query(ForwardRow).order_by(ForwardRow.id).all()[1].detail
    assert ("other bytes under 9.2" in detail) is (state == "parked")


def test_a_destination_that_goes_away_costs_only_time(lane, monkeypatch):
    plan(lane)
    answering(monkeypatch, None, Unreachable("gone"))
    lane.carry()
    assert states(lane) == ["sent", "planned", "planned"]
    assert lane.away == 1
    answering(monkeypatch, None)
    lane.clock.at = T0 + timedelta(seconds=5)
    assert lane.carry() == 1  # one to try
    assert lane.away == 0
    lane.carry()
    assert states(lane) == ["sent"] * 3


def test_a_destination_that_breaks_off_after_some_lets_only_the_next_one_wait(lane, monkeypatch):
    plan(lane)
    answering(monkeypatch, None, Unreachable("gone"))
    lane.carry()
    with lane.database.read() as session:
        assert [row.attempts for row in session.query(ForwardRow).order_by(ForwardRow.id)] == [1, 1, 0]
    answering(monkeypatch, None)
    assert lane.carry() == 1  # the third did not wait, and as it was taken, the second does not wait on
    lane.carry()
    assert states(lane) == ["sent"] * 3


def test_one_image_at_which_a_destination_breaks_off_does_not_keep_the_others_back(lane, monkeypatch):
    """It went first each time, all behind it counted as tried, and one image in seconds was all that went."""
    plan(lane)

    def forward(originals, destination, *, calling_ae_title):
        for original in originals:
            if original.sop_instance_uid == "9.1":
                error = AssociationRejected("aborted")
                error.broke_off = True
                raise error
            yield original, Receipt(original.sop_instance_uid, "stored", 0)

    monkeypatch.setattr(forwarding_work, "forward", forward)
    for _ in range(4):  # it breaks off; one goes; it breaks off again; the other goes
        lane.carry()
    assert states(lane) == ["planned", "sent", "sent"]
    assert lane.carry() == 0  # it waits
    with lane.database.read() as session:
        assert session.query(ForwardRow).order_by(ForwardRow.id).first().obstacle == "not_now"


def test_told_to_stop_it_ends_what_it_is_sending_and_frees_the_rest(lane, monkeypatch):
    plan(lane)
    answering(monkeypatch, None, None, None)
    lane.stopping.set()
    lane.carry()
    assert states(lane) == ["sent", "planned", "planned"]
    with lane.database.begin() as session:
        assert len(forwarding.claim(session, "PACS", by="other", at=T0, limit=9)) == 2


def test_what_travels_for_longer_than_a_claim_lasts_is_not_sent_by_another_lane_too(lane, monkeypatch):
    plan(lane)
    monkeypatch.setattr(forwarding_work, "RENEW_SECONDS", 0.02)
    claimed_by_another = []

    def forward(originals, destination, *, calling_ae_title):
        for number, original in enumerate(originals):
            if number == 1:  # the first was taken, and the second takes its time
                for _ in range(3):
                    lane.clock.at += timedelta(seconds=forwarding.CLAIM_SECONDS - 1)
                    time.sleep(0.5)
                with lane.database.begin() as session:
                    now = lane.clock.now()
                    claimed_by_another.extend(forwarding.claim(session, "PACS", by="another", at=now, limit=9))
            yield original, Receipt(original.sop_instance_uid, "stored", 0)

    monkeypatch.setattr(forwarding_work, "forward", forward)
    assert lane.carry() == 3
    assert claimed_by_another == []
    assert states(lane) == ["sent"] * 3


def sweep(lane: Lane, seconds: float = 0) -> tuple[str, str]:
    lane.clock.at = T0 + timedelta(seconds=seconds)
    Holds(lane.settings, lane.database, lane.clock).sweep()
    with lane.database.read() as session:
        row = holding.get(session, UID)
        return row.state, row.cause


@pytest.fixture
def header(monkeypatch):
    """The header of the first image, as a test sets it."""
    from pydicom import Dataset

    dataset = Dataset()
    monkeypatch.setattr(arrival_work, "read_header", lambda path: dataset)
    return dataset


def test_without_any_verdict_the_deadline_lets_go_and_not_a_second_before(lane, header):
    assert sweep(lane) == ("held", "")
    assert sweep(lane, 59) == ("held", "")
    assert sweep(lane, 60) == ("released", "deadline")
    assert states(lane) == ["planned"] * 3


def test_the_deadline_counts_from_the_first_image_also_when_nobody_was_there(lane, header):
    assert sweep(lane, 45) == ("held", "")
    assert sweep(lane, 60) == ("released", "deadline")


def test_urgent_images_never_wait(lane, header):
    header.RequestedProcedurePriority = "STAT"
    assert sweep(lane) == ("released", "stat")
    with lane.database.read() as session:
        assert all(row.urgent for row in session.query(ForwardRow))


@pytest.mark.parametrize("fault", [ValueError("ours"), OSError("disk")])
def test_what_cannot_be_decided_about_goes(lane, monkeypatch, fault):
    def read(path):
        raise fault

    monkeypatch.setattr(arrival_work, "read_header", read)
    assert sweep(lane) == ("released", "failed")


def test_a_file_that_cannot_be_read_goes_too(lane):
    assert sweep(lane) == ("released", "failed")


def judged(lane: Lane, outcome: str, document: dict[str, object]) -> None:
    """Have a verdict on the series."""
    with lane.database.begin() as session:
        revision = RevisionRow(
            series_instance_uid=UID, number=1, digest="d", state="reported", completed_by="quiet",
            last_instance_at=T0, created_at=T0,
        )  # fmt: skip
        session.add(revision)
        session.flush()
        session.add(
            AssessmentRow(
                revision_id=revision.id, volume_index=0, score=None, outcome=outcome, policy="gate", created_at=T0,
                document=document,
            )
        )  # fmt: skip
        row = worklist.series(session, UID)
        row.state, row.revision = "delivered", 1


@pytest.mark.parametrize(
    ("outcome", "action", "after"),
    [
        ("accept", "hold", ("released", "accepted")),
        ("unscored", "hold", ("released", "unscored")),
        ("review", "hold", ("held", "")),
        ("reject", "hold", ("held", "")),
        ("review", "advise", ("released", "no_policy")),
    ],
)
def test_a_verdict_lets_go_or_does_not(lane, header, outcome, action, after):
    sweep(lane)
    judged(lane, outcome, {"policy": {"action": action}})
    assert sweep(lane, 5) == after


@pytest.mark.parametrize(
    ("outcome", "document"),
    [("review", {}), ("review", {"policy": None}), ("review", {"policy": {"action": "new"}}), ("new", {"policy": {}})],
)
def test_a_verdict_that_is_not_understood_holds_no_series_past_its_deadline(lane, header, outcome, document):
    """A word of a newer release, or a document that lacks it, ended each look at all that is held."""
    sweep(lane)
    judged(lane, outcome, document)
    assert sweep(lane, 5) == ("held", "")
    assert sweep(lane, 60) == ("released", "deadline")
