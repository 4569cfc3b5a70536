from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_a_demo_that_is_killed_leaves_no_node_behind(tmp_path: Path) -> None:
    """The node went on for ever, on the ports of the demo and in a session of its own."""
    script = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from qagate.demo.node import demo_settings, free_port\n"
        "from qagate.demo.served import ServedNode\n"
        f"settings = demo_settings(Path({str(tmp_path)!r}), pacs_port=1, node_port=free_port(), web_port=free_port())\n"
        "node = ServedNode(settings)\n"
        "node.start()\n"
        "print(node._process.pid, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        served = int(demo.stdout.readline())
        demo.kill()
    try:
        deadline = time.monotonic() + 30
        while running(served) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not running(served)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(served, signal.SIGTERM)


def running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
