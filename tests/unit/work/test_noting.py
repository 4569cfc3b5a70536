from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from qagate.clock import SystemClock
from qagate.domain.obstacle import Obstacle
from qagate.domain.series import StoredInstance
from qagate.settings import Settings
from qagate.store import holding, outbox, reception, revisions
from qagate.store.database import Database
from qagate.store.routing import Routing
from qagate.store.tables import DeliveryRow, DocumentRow, ForwardRow
from qagate.work.noting import Notes

T0 = datetime(2026, 11, 1, tzinfo=UTC)
UID = "1.2.826.0.1.3680043.8.498.79.1"
PEER = {"ae_title": "P", "host": "h", "port": 104}


def site(tmp_path: Path, *destinations: dict) -> Notes:
    """A node with one CT series of two images, judged by nobody."""
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}, "destinations": destinations})
    database = Database.open(settings.database_url)
    stored = []
    for number in (1, 2):
        dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = UID, f"{UID}.{number}"
        path = tmp_path / f"{number}.dcm"
        dataset.save_as(path)
        stored.append(
            StoredInstance(path, f"{UID}.{number}", str(dataset.SOPClassUID), "1.2.840.10008.1.2.1", UID,
                           str(dataset.StudyInstanceUID), "CT", 1, "a" * 64, "S", T0)
        )  # fmt: skip
    with database.begin() as session:
        reception.register(session, stored, Routing.of(settings))
        revisions.close_series(session, UID, completed_by="quiet", at=T0)
    return Notes(settings, database, SystemClock())


def decide(notes: Notes, what: str, **named: str) -> None:
    with notes.database.begin() as session:
        getattr(holding, what)(session, UID, by="ann", reason="moved", at=T0, **named)
    notes.write()
    notes.write()  # twice is once


def written(notes: Notes) -> list[tuple[str, str, str]]:
    with notes.database.read() as session:
        rows = session.query(DocumentRow.kind, DeliveryRow.destination, DeliveryRow.state).join(
            DeliveryRow, DeliveryRow.document_id == DocumentRow.id
        )
        return [tuple(row) for row in rows.order_by(DocumentRow.id)]


def note(notes: Notes, kind: str) -> pydicom.Dataset:
    with notes.database.read() as session:
        (document,) = session.query(DocumentRow).filter_by(kind=kind)
        return pydicom.dcmread(document.variants[0])


ASKS = {"name": "ASKS", **PEER, "rejection_notes": True, "withdrawal_notes": True}


def test_nobody_is_told_who_did_not_ask_for_it(tmp_path):
    notes = site(tmp_path, {"name": "PACS", **PEER})
    decide(notes, "reject")
    assert written(notes) == []


def test_a_rejection_names_all_images_the_person_and_the_reason(tmp_path):
    notes = site(tmp_path, {"name": "PACS", **PEER}, ASKS)
    decide(notes, "reject", code="motion_blur")
    assert written(notes) == [("RN1", "ASKS", "planned")]
    document = note(notes, "RN1")
    assert document.ConceptNameCodeSequence[0].CodeValue == "113001"
    assert document.ContentSequence[0].ConceptCodeSequence[0].CodeValue == "111210"
    named = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert [item.ReferencedSOPInstanceUID for item in named] == [f"{UID}.1", f"{UID}.2"]
    assert "Rejected by ann" in document.to_json()


def test_a_note_that_was_sent_is_withdrawn_and_one_that_was_not_never_goes(tmp_path):
    notes = site(tmp_path, ASKS)
    decide(notes, "reject")
    decide(notes, "release")
    assert written(notes) == [("RN1", "ASKS", "withdrawn")]
    decide(notes, "reject")
    with notes.database.begin() as session:
        session.query(DeliveryRow).filter_by(state="planned").update({"state": "sent"})
    decide(notes, "release")
    assert written(notes) == [("RN1", "ASKS", "withdrawn"), ("RN2", "ASKS", "sent"), ("RW2", "ASKS", "planned")]
    assert note(notes, "RW2").ConceptNameCodeSequence[0].CodeValue == "131360"
    assert note(notes, "RN1").SOPInstanceUID != note(notes, "RN2").SOPInstanceUID


def sent(notes: Notes) -> None:
    with notes.database.begin() as session:
        session.query(DeliveryRow).filter_by(state="planned").update({"state": "sent"})


def test_a_rejection_that_was_made_again_at_once_is_withdrawn_where_the_first_arrived(tmp_path):
    """The archive had the first note, and nobody told it: only the second was looked at, which it had not got."""
    notes = site(tmp_path, ASKS)
    decide(notes, "reject")
    sent(notes)
    with notes.database.begin() as session:  # all before anybody wrote a note
        holding.release(session, UID, by="ann", reason="", at=T0)
        holding.reject(session, UID, by="ann", reason="", at=T0)
    notes.write()
    decide(notes, "release")
    assert written(notes) == [("RN1", "ASKS", "sent"), ("RN2", "ASKS", "withdrawn"), ("RW2", "ASKS", "planned")]
    sent(notes)
    decide(notes, "reject")
    decide(notes, "release")
    assert [kind for kind, *_ in written(notes)] == ["RN1", "RN2", "RW2", "RN3"]  # it never heard of the third


def test_a_withdrawal_that_waits_does_not_come_after_the_next_rejection(tmp_path):
    notes = site(tmp_path, ASKS)
    decide(notes, "reject")
    sent(notes)
    decide(notes, "release")
    decide(notes, "reject")
    assert written(notes) == [("RN1", "ASKS", "sent"), ("RW1", "ASKS", "withdrawn"), ("RN2", "ASKS", "planned")]
    decide(notes, "release")
    assert written(notes)[2:] == [("RN2", "ASKS", "withdrawn"), ("RW2", "ASKS", "planned")]


def test_a_parked_rejection_does_not_go_after_the_release(tmp_path):
    notes = site(tmp_path, ASKS)
    decide(notes, "reject")
    with notes.database.begin() as session:
        (item,) = outbox.contents(session, 1, "ASKS")
        outbox.failed(session, [item.delivery_id], detail="no", obstacle=Obstacle.UNREACHABLE, max_attempts=1, at=T0)
    decide(notes, "release")
    with notes.database.begin() as session:
        assert outbox.requeue(session, destination=None, at=T0) == 0
    # it was offered, and may have been taken: better said once too often
    assert written(notes) == [("RN1", "ASKS", "withdrawn"), ("RW1", "ASKS", "planned")]


def test_who_refused_a_rejection_for_good_is_not_told_of_its_withdrawal(tmp_path):
    """It has not got what would be withdrawn; the word came alone, and was refused or misunderstood."""
    notes = site(tmp_path, ASKS, {**ASKS, "name": "SILENT"})
    decide(notes, "reject")
    named = {"max_attempts": 1, "at": T0}
    with notes.database.begin() as session:
        (item,), (other,) = outbox.contents(session, 1, "ASKS"), outbox.contents(session, 1, "SILENT")
        outbox.failed(session, [item.delivery_id], detail="0122 not supported", obstacle=Obstacle.REFUSED, **named)
        outbox.failed(session, [other.delivery_id], detail="no answer", obstacle=Obstacle.NOT_NOW, **named)
    decide(notes, "release")
    assert ("RW1", "SILENT", "planned") in written(notes)
    assert "RW1" not in {kind for kind, name, _ in written(notes) if name == "ASKS"}


@pytest.mark.parametrize("answered", [True, False])
def test_a_rejection_that_is_being_sent_while_it_is_taken_back_is_withdrawn(tmp_path, answered):
    notes = site(tmp_path, ASKS, {**ASKS, "name": "OTHER"})
    decide(notes, "reject")
    with notes.database.begin() as session:
        (other,) = outbox.contents(session, 1, "OTHER")
        outbox.delivered(session, other.delivery_id, sop_instance_uid="9", warning="", at=T0)
        (item,) = outbox.contents(session, 1, "ASKS")  # it is on its way from here
    decide(notes, "release")
    assert written(notes)[-1] == ("RW1", "OTHER", "planned")
    with notes.database.begin() as session:
        if answered:
            outbox.delivered(session, item.delivery_id, sop_instance_uid="9", warning="", at=T0)
        else:
            named = {"detail": "no answer", "obstacle": Obstacle.NOT_NOW, "max_attempts": 1, "at": T0}
            outbox.failed(session, [item.delivery_id], **named)
    notes.write()
    notes.write()
    states = {(kind, name): state for kind, name, state in written(notes)}
    assert states == {
        ("RN1", "ASKS"): "sent" if answered else "withdrawn", ("RN1", "OTHER"): "sent",
        ("RW1", "ASKS"): "planned", ("RW1", "OTHER"): "planned",
    }  # fmt: skip


@pytest.mark.parametrize(("state", "told"), [("held", []), ("sent", ["RN1"]), ("committed", ["RN1"])])
def test_an_archive_in_line_is_only_told_of_images_that_it_has(tmp_path, state, told):
    notes = site(tmp_path, {**ASKS, "originals": True})
    with notes.database.begin() as session:
        session.query(ForwardRow).update({"state": state})
    decide(notes, "reject")
    assert [kind for kind, *_ in written(notes)] == told
