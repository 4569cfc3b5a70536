from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from qagate.demo.node import demo_settings
from qagate.demo.served import ServedNode, as_toml
from qagate.settings import Settings, load
from qagate.store.database import Database
from qagate.store.tables import DeliveryRow, DocumentRow, RevisionRow, SeriesRow

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def settings(folder: Path) -> Settings:
    return demo_settings(folder / 'a "quoted" ü', pacs_port=20001, node_port=20002, web_port=20003)


def test_toml_reads_back_as_the_same_settings(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    file = tmp_path / "qagate.toml"
    file.write_text(as_toml(wanted), encoding="utf-8")
    assert load(file, {}) == wanted


def test_series_are_read_from_its_database(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    database = Database.open(wanted.database_url)
    with database.begin() as session:
        session.add(
            SeriesRow(series_instance_uid="1.2", study_instance_uid="1", state="delivered", revision=1, score=61.0,
                      outcome="review", reason="Noise 24 HU", first_instance_at=NOW, last_instance_at=NOW)
        )  # fmt: skip
        session.add(
            SeriesRow(series_instance_uid="1.3", study_instance_uid="1", state="excluded", revision=1,
                      state_reason="not_ct_or_mr: US", first_instance_at=NOW, last_instance_at=NOW)
        )  # fmt: skip
        session.flush()
        revision = RevisionRow(series_instance_uid="1.2", number=1, digest="d", state="reported",
                               completed_by="quiet", last_instance_at=NOW, created_at=NOW)  # fmt: skip
        session.add(revision)
        session.flush()
        document = DocumentRow(revision_id=revision.id, kind="SR", sop_class_uid="9", sop_instance_uid="1.2.9",
                               series_instance_uid="1.2.8", variants=[], created_at=NOW)  # fmt: skip
        session.add(document)
        session.flush()
        session.add(DeliveryRow(document_id=document.id, destination="MINIPACS", state="sent", next_attempt_at=NOW,
                                sop_instance_uid="1.2.10"))  # fmt: skip
    database.close()
    node = ServedNode(wanted)
    seen = {row["series_instance_uid"]: row for row in node.series()}
    node.stop()
    assert seen["1.2"]["documents"] == [{"kind": "SR", "sop_instance_uid": "1.2.10", "delivered": True}]
    assert (seen["1.2"]["verdict"], seen["1.2"]["score"]) == ("review", 61.0)
    assert seen["1.2"]["reasons"] == ["Noise 24 HU"]
    assert (seen["1.3"]["verdict"], seen["1.3"]["reasons"]) == (None, ["not_ct_or_mr: US"])


def test_no_database_yet_is_no_series(tmp_path: Path) -> None:
    node = ServedNode(settings(tmp_path))
    assert node.series() == []
    node.stop()
