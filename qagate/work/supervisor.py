"""`qagate serve`: three children, each restarted when it dies, none taking another down."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

RESTART_SECONDS = (0.5, 1, 2, 5, 10, 30)
"""Waits before the first, second, ... restart in a row; the last one repeats."""

STEADY_SECONDS = 60
"""A child that lived this long starts again from the first wait."""

STOP_SECONDS = 15
"""How long a child may take to end when asked."""

BAD_SETTINGS = 2
"""Exit code of a child that cannot run with these settings: restarting would not help."""


@dataclass(slots=True)
class _Child:
    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    restart_at: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Keeps child processes alive until stopped.

    `children`: name → arguments after `qagate`. A child that refuses the settings (exit code 2) ends them all, unless
    it is `dispensable`: then the others go on, and it is tried again.
    """

    children: Mapping[str, Sequence[str]]
    dispensable: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; returns 0, or 2 when a child refuses the settings."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        children = [_Child(name, arguments) for name, arguments in self.children.items()]
        code = 0
        try:
            while not self._stop.is_set():
                for child in children:
                    if self._tend(child) == BAD_SETTINGS:
                        code = BAD_SETTINGS
                        self.stop()
                self._stop.wait(0.2)
        finally:
            _end([child.process for child in children if child.process is not None])
        return code

    def stop(self) -> None:
        """Ask all children to end."""
        self._stop.set()

    def _tend(self, child: _Child) -> int | None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.restart_at:
                self._start(child, now)
            return None
        code = child.process.poll()
        if code is None:
            return None
        child.process = None
        if code == BAD_SETTINGS and child.name not in self.dispensable:
            logger.error("%s cannot run with these settings", child.name)
            return code
        child.deaths = 0 if now - child.started > STEADY_SECONDS else child.deaths
        wait = RESTART_SECONDS[min(child.deaths, len(RESTART_SECONDS) - 1)]
        child.deaths += 1
        child.restart_at = now + wait
        logger.error("%s ended with code %s; it starts again in %.1f s", child.name, code, wait)
        return None

    def _start(self, child: _Child, now: float) -> None:
        child.started = now
        child.process = subprocess.Popen(
            [sys.executable, "-m", "qagate", *child.arguments],
            env={**os.environ, **self.environment, PARENT_VARIABLE: str(os.getpid())},
            start_new_session=True,  # Ctrl-C reaches only us, and we end the children in order
        )


PARENT_VARIABLE = "QAGATE_SUPERVISOR_PID"


def follow_parent() -> None:
    """In a child: end when the supervisor is gone, so that a killed `serve` leaves nothing behind."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
