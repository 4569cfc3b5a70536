"""`qagate demo`: the real node, as `qagate serve` runs it, in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from qagate.demo.node import DocumentStatus, SeriesStatus, State
from qagate.demo.run import run
from qagate.errors import QagateError, StoreError
from qagate.settings import ENVIRONMENT_PREFIX, Settings
from qagate.store import worklist
from qagate.store.database import Database
from qagate.store.worklist import Filter

START_SECONDS = 120
DONE = ("sent", "warning", "committed")


class ServedNode:
    """A node run by `qagate serve` in a folder of its own; what it says is read from its database."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.storage.data_dir
        self.log = self.folder / "node.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._database: Database | None = None

    def start(self) -> None:
        """Start and return when receiver, worker and page are ready. Raises QagateError when they do not come up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "qagate.toml"
        config.write_text(as_toml(self.settings.model_dump(mode="json", exclude_none=True)), encoding="utf-8")
        self._database = Database.open(self.settings.database_url)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_PREFIX)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qagate", "serve", "--config", str(config)],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        ready = self.folder / "worker.ready"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if ready.exists() and all(_answers(p) for p in (self.settings.node.port, self.settings.web.port)):
                return
            time.sleep(0.1)
        raise QagateError(f"the node did not start; its log ends with:\n{self._log_tail()}")

    def stop(self) -> None:
        """Stop all its processes."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
        if self._database is not None:
            self._database.close()

    def series(self) -> list[SeriesStatus]:
        """Return every series it has received something of."""
        if self._database is None:
            return []
        try:
            with self._database.begin() as session:
                return [_status(session, row) for row in worklist.listing(session, Filter(), limit=10_000)]
        except StoreError:
            return []  # busy: asked again in a moment

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:]) if self.log.exists() else "(no log)"


def _status(session: Any, row: Any) -> SeriesStatus:
    revisions = worklist.revisions(session, row.series_instance_uid)
    documents: list[DocumentStatus] = [
        {
            "kind": document.kind,
            "sop_instance_uid": deliveries[0].sop_instance_uid if deliveries else document.sop_instance_uid,
            "delivered": bool(deliveries) and all(d.state in DONE for d in deliveries),
        }
        for revision in revisions
        for document, deliveries in worklist.documents(session, revision.id)
    ]
    state: State = row.state
    latest = next((r for r in revisions if r.number == row.revision), None)
    reasons = list(worklist.assessments(session, latest.id)[0].document["reasons"]) if latest and row.outcome else []
    return {
        "series_instance_uid": row.series_instance_uid,
        "state": state,
        "revision": row.revision,
        "verdict": row.outcome or None,
        "score": row.score,
        "reasons": [row.state_reason] if row.state_reason else ([row.reason] if row.reason else reasons),
        "documents": documents,
    }


def start(*, folder: Path | None, once: bool, as_json: bool, out: TextIO) -> int:
    """Run the demo with the real node; returns its exit code."""
    return run(ServedNode, once=once, as_json=as_json, folder=folder, out=out)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def as_toml(tree: Mapping[str, Any]) -> str:
    """Return a settings tree as TOML: sections with inline values."""
    lines: list[str] = []
    plain = {k: v for k, v in tree.items() if not isinstance(v, Mapping)}
    lines += [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, section in tree.items():
        if isinstance(section, Mapping):
            lines += [f"[{key}]", *(f"{k} = {_value(v)}" for k, v in section.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)
