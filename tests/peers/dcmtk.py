"""dcmtk's command-line tools as peers: senders and a receiver."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

# dcmtk leaves Nagle's algorithm on by default, which costs about 48 ms per object
_ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}


def available() -> bool:
    """Say whether dcmtk is installed."""
    return all(_tool(name) for name in ("storescu", "dcmsend", "storescp", "echoscu"))


def _tool(name: str) -> str | None:
    """Return the path of a tool; pynetdicom puts programs of the same names into virtual environments."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    outside = [folder for folder in folders if not (Path(folder).parent / "pyvenv.cfg").exists()]
    return shutil.which(name, path=os.pathsep.join(outside))


def tool(name: str) -> str:
    """Return how to call a tool of dcmtk."""
    return _tool(name) or name


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Sent:
    """What a sender said: its exit status, its text, and the status of each C-STORE response it printed."""

    returncode: int
    output: str
    seconds: float

    @property
    def statuses(self) -> list[str]:
        """Words after "Received Store Response", in order: "Success", "Refused: OutOfResources", ..."""
        return re.findall(r"Received (?:C-STORE|Store) Response \(([^\n]*)\)", self.output)


def storescu(
    paths: Sequence[Path | str],
    *,
    port: int,
    called: str = "QAGATE",
    calling: str = "STORESCU",
    host: str = "127.0.0.1",
    options: Sequence[str] = (),
    timeout_seconds: float = 120,
) -> Sent:
    """Send files or folders with storescu; required contexts only, halting at the first failure as storescu does."""
    command = ["storescu", "-v", "-aet", calling, "-aec", called, "+sd", "+r", "-R", *options, host, str(port)]
    return _run([*command, *map(str, paths)], timeout_seconds)


def dcmsend(
    paths: Sequence[Path | str],
    *,
    port: int,
    called: str = "QAGATE",
    calling: str = "DCMSEND",
    host: str = "127.0.0.1",
    options: Sequence[str] = (),
    timeout_seconds: float = 120,
) -> Sent:
    """Send files or folders with dcmsend, which proposes each file's own transfer syntax and never changes a file."""
    command = ["dcmsend", "-v", "-aet", calling, "-aec", called, "--decompress-never", "+sd", "+r", "--no-halt"]
    return _run([*command, *options, host, str(port), *map(str, paths)], timeout_seconds)


def echoscu(*, port: int, called: str = "QAGATE", calling: str = "ECHOSCU", options: Sequence[str] = ()) -> Sent:
    """Send one C-ECHO."""
    return _run(["echoscu", "-v", "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port)], 60)


def _run(command: list[str], timeout_seconds: float) -> Sent:
    begun = time.monotonic()
    done = subprocess.run(
        [tool(command[0]), *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_seconds,
        env=_ENVIRONMENT,
        check=False,
    )
    return Sent(done.returncode, done.stdout, time.monotonic() - begun)


class StoreScp:
    """A storescp in a folder of its own; use as a context manager, then look at `files()`."""

    def __init__(self, folder: Path, *, ae_title: str = "DCMTKSCP", options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port = free_port()
        self._options = list(options)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> StoreScp:
        """Start it and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            tool("storescp"),
            "-aet",
            self.ae_title,
            "-od",
            str(self.folder),
            "-uf",
            "+xa",
            *self._options,
        ]
        self._process = subprocess.Popen(
            [*command, str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_ENVIRONMENT
        )
        wait_for_port(self.port, self._process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)

    def files(self) -> list[Path]:
        """Return what it has stored, in name order."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Wait until a process listens on a port. Raises RuntimeError when it ends or does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the peer on port {port} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the peer on port {port} did not listen within {seconds} s")
