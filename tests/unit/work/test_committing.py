"""Asking destinations to keep what they took."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from qagate.clock import SystemClock
from qagate.domain.series import StoredInstance
from qagate.settings import Settings
from qagate.store import outbox, reception, revisions
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.work import committing
from qagate.work.committing import Commitments

T0 = datetime(2026, 11, 1, tzinfo=UTC)
PACS = {"name": "PACS", "ae_title": "P", "host": "h", "port": 104, "commitment": True}


def test_a_document_that_has_left_the_disk_keeps_no_other_from_being_asked_for(tmp_path: Path, monkeypatch) -> None:
    """An archive that never answered for one: a week later nothing that was asked for with it was."""
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}, "destinations": [PACS]})
    database = Database.open(settings.database_url)
    sr = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    sr.save_as(tmp_path / "there.dcm")
    written = [
        WrittenDocument("SR", "1", "9.1", "9", (str(tmp_path / "gone.dcm"),)),
        WrittenDocument("SC", "1", str(sr.SOPInstanceUID), "9", (str(tmp_path / "there.dcm"),)),
    ]
    with database.begin() as session:
        one = StoredInstance(tmp_path / "1.dcm", "1", "2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64, "S", T0)
        reception.register(session, [one])
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        assert revision is not None
        revisions.record_documents(session, revision.id, written, destinations=[("PACS", ("SR", "SC"))], at=T0)
        for item, document in zip(outbox.contents(session, revision.id, "PACS"), written, strict=True):
            uid = document.sop_instance_uid
            outbox.delivered(session, item.delivery_id, sop_instance_uid=uid, warning="", at=T0)
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(committing, "request", lambda destination, instances, **_: asked.extend(instances))
    commitments = Commitments(settings, database, SystemClock())
    commitments.ask()
    commitments.ask()
    database.close()
    assert asked == [(str(sr.SOPClassUID), str(sr.SOPInstanceUID))]
