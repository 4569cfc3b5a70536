"""A node whose processes are killed: receive, work, forward, web; each starts again, as with `qagate serve`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import select

from qagate.demo.served import as_toml
from qagate.errors import StoreError
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.store.tables import DeliveryRow, ForwardRow, RevisionRow, SeriesRow
from qagate.work.worker import ready_file
from tests.crash import clock
from tests.crash.child import Child, executed, forked
from tests.crash.killing import FORWARD, RECEIVE, WORK, Armed
from tests.peers.dcmtk import free_port

WEB = "web"

PATIENCE = float(os.environ.get("QAGATE_TEST_PATIENCE", "1"))
"""By how much everything is waited for longer, on a machine that has other things to do."""


def worker(number: int) -> str:
    """Return the name of a worker's process; numbers are 1-based."""
    return WORK if number == 1 else f"{WORK}-{number}"


class Node:
    """Use as a context manager: starts receive, workers (and forward, inline), keeps them alive, and stops them."""

    def __init__(
        self,
        folder: Path,
        *,
        destinations: Sequence[Mapping[str, Any]],
        database_url: str | None = None,
        port: int = 0,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        workers: int = 1,
        policies: Sequence[Mapping[str, Any]] = (),
        web: bool = False,
        own_clock: bool = False,
    ) -> None:
        self.workers = [worker(number) for number in range(1, workers + 1)]
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self.armed = Armed(folder / "armed")
        self.deaths: Counter[str] = Counter()
        self._processes: dict[str, Child] = {}
        self._web = web
        self._own_clock = own_clock
        self.web_port = free_port() if web else 0
        self._kept_down: set[str] = set()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._tender: threading.Thread | None = None
        tree: dict[str, Any] = {
            "destinations": [dict(d) for d in destinations],
            "node": {"host": "127.0.0.1", "port": self.port, "accept_unknown_peers": True},
            "storage": {"data_dir": str(folder / "data"), "reserve_mb": 0},
            "completion": {"quiet_seconds": 0.8, "open_quiet_seconds": 3},
            "model": {"threads": 1, "device": "cpu"},
        }
        if web:
            tree["web"] = {"port": self.web_port, "stow": True}
            tree["people"] = {"anonymous_role": "admin"}
        if policies:
            tree["policies"] = [dict(policy) for policy in policies]
        if database_url:
            tree["storage"]["database_url"] = database_url
        for section, values in (settings or {}).items():
            tree.setdefault(section, {}).update(values)
        self.settings = Settings.model_validate(tree)
        self.database_url = self.settings.database_url
        self.config = folder / "qagate.toml"
        self.config.write_text(as_toml(self.settings), encoding="utf-8")

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of its processes."""
        inline = any(destination.originals for destination in self.settings.destinations)
        return (RECEIVE, *self.workers, *([FORWARD] if inline else []), *([WEB] if self._web else []))

    def __enter__(self) -> Node:
        """Start it; `ready` waits until it takes images and work."""
        self.database = Database.open(self.database_url)  # migrated once, as `serve` does; and for looking at it
        for process in self.processes:
            self.start(process)
        self._tender = threading.Thread(target=self._tend, daemon=True)
        self._tender.start()
        try:
            self.ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stopping.set()
        if self._tender is not None:
            self._tender.join()
        with self._lock:
            for process in self._processes.values():
                process.terminate()
            for process in self._processes.values():
                process.join(20)
                if process.is_alive():
                    process.kill()
                    process.join()
        self.database.close()

    def start(self, process: str) -> None:
        """Start one of the processes, and keep it alive from now on."""
        command, _, number = process.partition("-")
        arguments = ["--config", str(self.config), *(["--name", f"worker-{number}"] if number else [])]
        with self._lock:
            self._kept_down.discard(process)
            log = self.folder / f"{process}.log"
            made = executed if self._own_clock else forked
            child = made(command, arguments, self.armed.path, log)
            child.start()
            self._processes[process] = child

    def kill(self, process: str, *, stay_down: bool = False) -> None:
        """kill -9; it is started again unless it is to stay down."""
        with self._lock:
            if stay_down:
                self._kept_down.add(process)
            self._processes[process].kill()

    def restart(self, process: str) -> None:
        """End it in order, as an update would; it is started again."""
        with self._lock:
            self._processes[process].terminate()

    def pause(self, process: str) -> None:
        """Stop it in its tracks, as a suspended machine would."""
        os.kill(self.pid(process), signal.SIGSTOP)

    def resume(self, process: str) -> None:
        """Let it go on."""
        os.kill(self.pid(process), signal.SIGCONT)

    def shift_clock(self, seconds: float) -> None:
        """Let the wall clock of its processes differ from the machine's."""
        clock.say(self.folder / "clock", seconds)

    def command(self, *words: str) -> str:
        """Run a command of qagate with its settings; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "qagate", *words, "--config", str(self.config)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _tend(self) -> None:
        while not self._stopping.wait(0.05):
            with self._lock:
                for name, process in list(self._processes.items()):
                    if not process.is_alive() and name not in self._kept_down:
                        self.deaths[name] += 1
                        self.start(name)

    def pid(self, process: str) -> int:
        """Return the process id."""
        with self._lock:
            return int(self._processes[process].pid or 0)

    def ready(self, seconds: float = 120) -> None:
        """Wait until it takes images and work."""

        def listens() -> bool:
            try:
                for port in (self.port, *([self.web_port] if self._web else [])):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
            return all(self.works(process) for process in self.workers if process not in self._kept_down)

        self.wait(listens, seconds, "the node to be ready")

    def works(self, process: str) -> bool:
        """Whether a worker takes work."""
        file = ready_file(self.settings, f"worker-{process.partition('-')[2] or 1}")
        try:
            return int(file.read_text()) == self.pid(process)
        except (OSError, ValueError):
            return False

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until a condition holds; fails with the end of the logs."""
        end, pause = time.monotonic() + seconds * PATIENCE, 0.05
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(pause)
            pause = min(pause * 1.2, 0.5)  # looking must not take the time of what is looked at
        raise AssertionError(f"waited {seconds * PATIENCE:g} s for {what}; the logs end with:\n{self.log()}")

    def wait_for_death(self, seconds: float = 60) -> None:
        """Wait until everything that was armed has killed, and the node is ready again."""
        self.wait(lambda: not self.armed.lines(), seconds, f"{self.armed.lines()} to be reached")
        self.ready()

    def wait_for_end(self, numbers: int, seconds: float = 120, *, except_for: Sequence[str] = ()) -> None:
        """Wait until so many series are known and all of them, but for some, are at their end with all documents."""

        def ended() -> bool:
            try:
                with self.database.read() as session:
                    rows = session.execute(select(SeriesRow.series_instance_uid, SeriesRow.state)).all()
                    working = session.scalar(
                        select(RevisionRow.id)
                        .where(RevisionRow.state.in_(("queued", "assessed")))
                        .where(RevisionRow.series_instance_uid.not_in(except_for))
                        .limit(1)
                    )
                    waiting = session.scalar(select(DeliveryRow.id).where(DeliveryRow.state == "planned").limit(1))
                    waiting = waiting or session.scalar(
                        select(ForwardRow.id).where(ForwardRow.state.in_(("held", "planned"))).limit(1)
                    )
            except StoreError:
                return False
            final = [uid for uid, state in rows if state in ("delivered", "excluded", "failed")]
            enough = len(set(final) | set(except_for)) >= numbers and len(rows) >= numbers
            return enough and all(
                uid in except_for or state in ("delivered", "excluded", "failed") for uid, state in rows
            ) and working is None and (waiting is None or bool(except_for))  # fmt: skip

        self.wait(ended, seconds, f"{numbers} series to be at their end")

    def log(self) -> str:
        """Return the ends of the logs."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}" for path in sorted(self.folder.glob("*.log"))
        )
