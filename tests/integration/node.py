"""A real node for tests: `qagate serve` in a folder of its own, on free ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from qagate.demo.served import as_toml
from qagate.settings import Settings
from qagate.store.database import Database
from tests.peers.dcmtk import free_port


class ServedNode:
    """`qagate serve`; use as a context manager. `settings` is merged over what a test needs."""

    def __init__(
        self,
        folder: Path,
        *,
        destinations: list[Mapping[str, Any]],
        database_url: str | None = None,
        port: int = 0,
        sections: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.web_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        storage: dict[str, Any] = {"data_dir": str(folder / "data"), "reserve_mb": 0}
        if database_url:
            storage["database_url"] = database_url
        self.database_url = database_url or f"sqlite:///{folder / 'data' / 'qagate.db'}"
        self.config = folder / "qagate.toml"
        settings: dict[str, Any] = {
            "destinations": [dict(d) for d in destinations],
            "node": {"host": "127.0.0.1", "port": self.port, "accept_unknown_peers": True},
            "storage": storage,
            "completion": {"quiet_seconds": 1.5, "open_quiet_seconds": 5},
            "model": {"threads": 1},
            "web": {"port": self.web_port, "public_url": "http://qagate.example"},
            "people": {"anonymous_role": "admin"},
        }
        for name, section in (sections or {}).items():
            settings[name] = {**settings[name], **section} if name in settings else section
        self.config.write_text(as_toml(Settings.model_validate(settings)), encoding="utf-8")

    def __enter__(self) -> ServedNode:
        """Start it and wait until it takes work."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self, seconds: float = 120, *, wait: bool = True) -> None:
        """Start it and wait until receiver, worker and page are ready, unless told not to wait."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qagate", "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env=environment,
            )
        if wait:
            self.wait(self.ready, seconds, "the node to be ready")

    def ready(self) -> bool:
        """Whether it takes work; fails when it has ended."""
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        return (self.folder / "data" / "worker-1.ready").exists() and self._answers()

    def stop(self) -> None:
        """Stop it in order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(40)
            self._process = None

    @property
    def log_path(self) -> Path:
        """Where its log goes."""
        return self.folder / "node.log"

    def log(self) -> str:
        """Return the end of its log."""
        return self.log_path.read_text(errors="replace")[-6000:]

    def get(self, path: str) -> Any:
        """GET from its API: JSON, or text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}", timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if "json" in answer.headers["Content-Type"] else body.decode()

    def series(self, uid: str) -> dict[str, Any] | None:
        """Return one series from the API, None while it is not known."""
        try:
            found: dict[str, Any] = self.get(f"/api/v1/series/{uid}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return found

    def wait_for_state(self, uid: str, *states: str, revision: int = 1, seconds: float = 120) -> dict[str, Any]:
        """Wait until a series is in one of the states, and return it."""

        def there() -> bool:
            found = self.series(uid)
            return found is not None and found["state"] in states and found["revision"] >= revision

        self.wait(there, seconds, f"series {uid} to be {' or '.join(states)}")
        found = self.series(uid)
        assert found is not None
        return found

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until a condition holds; fails with the node's log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.2)
        raise AssertionError(f"waited {seconds} s for {what}; the node's log ends with:\n{self.log()}")

    def database(self) -> Database:
        """Open its database."""
        return Database.open(self.database_url, migrate=False)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/readyz") == "ready\n")
        except OSError:
            return False
