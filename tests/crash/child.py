"""A process of a node: forked from one that has everything imported, or executed with a wall clock of its own."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tests.crash import clock
from tests.crash.killing import Armed, run

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.crash.preloaded"])
_PR_SET_PDEATHSIG = 1


def _child(process: str, arguments: Sequence[str], armed: Path, log: Path) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nothing outlives the tests
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    clock.follow(armed.with_name("clock"))
    run(process, arguments, Armed(armed))


class Child(Protocol):
    """What both kinds can do."""

    @property
    def pid(self) -> int | None:
        """The process id."""

    def start(self) -> None:
        """Begin."""

    def is_alive(self) -> bool:
        """Whether it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """kill -9."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""


def forked(process: str, arguments: Sequence[str], armed: Path, log: Path) -> Child:
    """Return a process that starts in no time."""
    return _FORKS.Process(target=_child, args=(process, arguments, armed, log), daemon=True)


def executed(process: str, arguments: Sequence[str], armed: Path, log: Path) -> Child:
    """Return a process whose wall clock can be set."""
    return _Executed(process, arguments, armed, log)


class _Executed:
    """A process with a wall clock of its own; it cannot be forked from ours."""

    def __init__(self, process: str, arguments: Sequence[str], armed: Path, log: Path) -> None:
        self._command = json.dumps([process, list(arguments), str(armed), str(log)])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = "import sys; from tests.crash.child import execute; execute(sys.argv[1])"
        self._process = subprocess.Popen(
            [sys.executable, "-c", words, self._command], env={**os.environ, "LD_PRELOAD": str(clock.library())}
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()

    def join(self, timeout: float | None = None) -> None:
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)


def execute(command: str) -> None:
    """Run what an _Executed was made for."""
    process, arguments, armed, log = json.loads(command)
    _child(process, arguments, Path(armed), Path(log))
