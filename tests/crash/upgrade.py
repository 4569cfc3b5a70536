"""One release takes over from another while images come: nothing is lost, nothing comes twice.

`python -m tests.crash.upgrade --old FOLDER [--version qagate-0]`: FOLDER is the source tree of the older release (this
one when absent), version that of its pipeline instead of its own. Needs PostgreSQL. Exit code 1 when something is lost.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.crash.ledger import Ledger, account, say
from tests.crash.node import Node
from tests.crash.pacs import Pacs
from tests.crash.sending import Sender, series
from tests.peers import postgres
from tests.peers.dcmtk import free_port

HERE = Path(__file__).resolve().parents[2]


class Release:
    """The programs of one release. version: that of its pipeline, instead of the one it says."""

    def __init__(self, tree: Path, config: Path, folder: Path, version: str = "") -> None:
        self.environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        self.config, self.folder = config, folder
        said = f"import qagate.work.queues as q; q.APPLICATION_VERSION = {version!r};" if version else ""
        self.code = f"{said}from qagate.cli import main; main()"

    def start(self, process: str, name: str) -> subprocess.Popen[bytes]:
        """Start `qagate work` or `qagate receive` under a name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", self.code, process, "--name", name, "--config", str(self.config)],
                env=self.environment, stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip


def upgrade(
    folder: Path, database_url: str, *, old_tree: Path = HERE, old_version: str = "", images: int = 3
) -> Ledger:
    """Send series all the while: old receiver and two old workers, then a new one beside them, then only new ones.

    One of the old workers is stopped in order and the other is killed, both with work before them.
    """
    with ExitStack() as stack:
        pacs = stack.enter_context(Pacs(0, folder / "pacs"))
        port = free_port()
        destination = {"name": "PACS", "ae_title": "MINIPACS", "host": "127.0.0.1", "port": pacs.port}
        node = Node(folder / "node", destinations=[destination], database_url=database_url, port=port)
        old = Release(old_tree, node.config, folder, old_version)
        new = Release(HERE, node.config, folder)
        running: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(lambda: [process.kill() for process in running.values()])
        sender, numbers = Sender(port), 0

        def send(how_many: int) -> None:
            nonlocal numbers
            for _ in range(how_many):
                numbers += 1
                sender.send(series(numbers, images))

        def start(release: Release, process: str, name: str) -> None:
            running[name] = release.start(process, name)

        def ready(name: str) -> None:
            file = node.settings.storage.data_dir / f"{name}.ready"
            node.wait(lambda: file.exists() and file.read_text().strip() == str(running[name].pid), 120, name)

        def stop(name: str, number: signal.Signals) -> None:
            running[name].send_signal(number)
            running.pop(name).wait(60)

        start(old, "receive", "receive-1")
        node.wait(lambda: _listens(port), 120, "the old receiver")
        send(2)
        for name in ("worker-1", "worker-2"):
            start(old, "work", name)
        ready("worker-1")
        ready("worker-2")
        send(3)
        start(new, "work", "worker-3")  # migrates the database under the old ones
        send(3)
        ready("worker-3")
        send(3)
        stop("worker-1", signal.SIGTERM)
        stop("worker-2", signal.SIGKILL)
        stop("receive-1", signal.SIGTERM)
        start(new, "receive", "receive-1")
        start(new, "work", "worker-1")
        send(3)
        with suppress(AssertionError):  # the ledger says what is not at its end
            node.wait_for_end(numbers, 180)
        ledger = account(sender.promises, node.settings, node.database_url, pacs.objects())
        for name in list(running):
            stop(name, signal.SIGTERM)
    if ledger.faults:
        for path in sorted(folder.glob("*.log")):
            sys.stdout.write(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}\n")
    return ledger


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        time.sleep(0.1)
        return False
    return True


def main() -> int:
    """Upgrade once, and print the ledger; returns 1 when it has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=Path, default=HERE, help="source tree of the older release")
    parser.add_argument("--version", default="", help="version of the old pipeline, instead of its own")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres.Postgres() as server:
        ledger = upgrade(Path(folder), server.url, old_tree=asked.old.absolute(), old_version=asked.version)
    say(ledger, f"from {asked.old} {asked.version}".rstrip())
    return 1 if ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
