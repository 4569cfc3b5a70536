"""A PostgreSQL cluster in a new folder, on a free port; it can be stopped and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.peers.dcmtk import free_port

_FOUND = shutil.which("initdb") or next((str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), "")


def available() -> bool:
    """Say whether PostgreSQL's server programs are installed, and may be started by this user."""
    return bool(_FOUND) and (os.getuid() != 0 or _owner() is not None)


def _owner() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


class Postgres:
    """Use as a context manager. As root it runs as the user `postgres`, because the server refuses root."""

    def __init__(self, folder: Path | None = None) -> None:
        # not below a test's own folder, which only its owner may enter
        self.folder = Path(tempfile.mkdtemp(prefix="qagate-postgres-")) if folder is None else folder
        self.port = free_port()
        self._running = False

    @property
    def url(self) -> str:
        """The address of its database, for SQLAlchemy."""
        return f"postgresql+psycopg://qagate@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Postgres:
        """Make the cluster and start it."""
        owner = _owner() if os.getuid() == 0 else None
        if owner is not None:
            shutil.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", "qagate", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"
        )
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, and remove it."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c shared_buffers=16MB -c max_connections=60"
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "-o", options, "start"
        )
        self._running = True

    def stop(self) -> None:
        """Stop at once: open transactions are lost, committed ones are not."""
        if self._running:
            self._running = False
            self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(Path(_FOUND).resolve().parent / program), *arguments]
        owner = _owner() if os.getuid() == 0 else None
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            cwd="/",
        )
