"""ServedNode: the real node as the demo runs it, `qagate serve` in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pynetdicom import AE
from sqlalchemy import select

from qagate.demo.node import DocumentStatus, SeriesStatus, State
from qagate.errors import QagateError, StoreError
from qagate.settings import ENVIRONMENT_PREFIX, Settings
from qagate.store.database import Database
from qagate.store.tables import DeliveryRow, DocumentRow, RevisionRow, SeriesRow
from qagate.work.supervisor import PARENT_VARIABLE

VERIFICATION = "1.2.840.10008.1.1"
ARRIVED = ("sent", "warning", "committed")
START_SECONDS = 120.0  # a slow machine reads torch and the weights for this long
STOP_SECONDS = 30.0


class ServedNode:
    """A node of its own settings, data folder and log; a NodeHandle. `log` is where its processes write."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = settings.storage.data_dir / "node.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._database: Database | None = None
        self._seen: list[SeriesStatus] = []

    def start(self) -> None:
        """Start it and return when it answers C-ECHO. Raises QagateError with the log's last line when it does not."""
        folder = self.settings.storage.data_dir
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "qagate.toml"
        file.write_text(as_toml(self.settings), encoding="utf-8")
        own = {k: v for k, v in os.environ.items() if not k.startswith((ENVIRONMENT_PREFIX, "QAGATE_CONFIG"))}
        own[PARENT_VARIABLE] = str(os.getpid())  # it ends with us, however we end
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qagate", "serve", "--config", str(file)],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=own,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops the node in order
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise QagateError(f"the node ended at once; its log is {self.log}; got: {_last_line(self.log)}")
            if _listens(self.settings.node.port) and self._echoes():
                return
            time.sleep(0.2)
        raise QagateError(f"the node did not answer within {START_SECONDS:.0f} s; see {self.log}")

    def stop(self) -> None:
        """Stop it and wait until it has gone."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def series(self) -> list[SeriesStatus]:
        """Return every series in its database; what was last seen while the database is busy."""
        try:
            if self._database is None:
                self._database = Database.open(self.settings.database_url, migrate=False)
            self._seen = _read(self._database)
        except StoreError:
            pass
        return self._seen

    def _echoes(self) -> bool:
        entity = AE(ae_title="DEMO")
        entity.add_requested_context(VERIFICATION)
        association = entity.associate("127.0.0.1", self.settings.node.port, ae_title=self.settings.node.ae_title)
        if not association.is_established:
            return False
        answer = association.send_c_echo()
        association.release()
        return bool(answer) and answer.Status == 0


def _read(database: Database) -> list[SeriesStatus]:
    with database.begin() as session:
        rows = session.scalars(select(SeriesRow)).all()
        pairs = session.execute(
            select(RevisionRow.series_instance_uid, DocumentRow, DeliveryRow)
            .join(DocumentRow, DocumentRow.revision_id == RevisionRow.id)
            .outerjoin(DeliveryRow, DeliveryRow.document_id == DocumentRow.id)
            .order_by(DocumentRow.id)
        ).all()
    documents: dict[str, list[DocumentStatus]] = {}
    for series_instance_uid, document, delivery in pairs:
        documents.setdefault(series_instance_uid, []).append(
            {
                "kind": document.kind,
                # the variant a destination took may have a UID of its own
                "sop_instance_uid": (delivery.sop_instance_uid if delivery else "") or document.sop_instance_uid,
                "delivered": bool(delivery) and delivery.state in ARRIVED,
            }
        )
    return [
        {
            "series_instance_uid": row.series_instance_uid,
            "state": cast(State, row.state),
            "revision": row.revision,
            "verdict": row.outcome or None,
            "score": row.score,
            "reasons": [text for text in [row.reason if row.outcome else row.state_reason] if text],
            "documents": documents.get(row.series_instance_uid, []),
        }
        for row in rows
    ]


def as_toml(settings: Settings) -> str:
    """Return the settings as a qagate.toml; what has its default is left out, and so are secrets, as from all JSON."""
    tree = settings.model_dump(mode="json", exclude_defaults=True)
    lines: list[str] = []
    for section, value in tree.items():
        tables = value if isinstance(value, list) else [value]
        for table in tables:
            lines += ["", f"[[{section}]]" if isinstance(value, list) else f"[{section}]", *_keys(table)]
    return "\n".join(lines).lstrip() + "\n"


def _keys(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in table.items() if value is not None]


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_keys(value)) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # JSON's strings, numbers and booleans are TOML's


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "no log"
    return lines[-1] if lines else "an empty log"
