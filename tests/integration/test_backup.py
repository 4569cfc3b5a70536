"""A node is lost with reports that wait; another one, made from its backup, delivers them, each once."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from qagate.store import worklist
from tests.crash.pacs import Pacs
from tests.crash.sending import Sender, series
from tests.integration.node import ServedNode

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    # pynetdicom leaves a socket open when nobody listens, as the PACS does here for a while
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def qagate(node: ServedNode, *arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qagate", *map(str, arguments), "--config", str(node.config)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_restored_node_delivers_what_waited_exactly_once(tmp_path):
    with Pacs(0, tmp_path / "pacs") as pacs:
        destination = {"name": "PACS", "ae_title": "MINIPACS", "host": "127.0.0.1", "port": pacs.port}
        images = series(1)
        uid = str(images[0].SeriesInstanceUID)
        pacs.stop()
        first = ServedNode(tmp_path / "first", destinations=[destination])
        with first:
            Sender(first.port).send(images)
            first.wait_for_state(uid, "scored")
            first.wait(lambda: worklist_of(first) != {}, 120, "the reports to wait")
            qagate(first, "backup", tmp_path / "backup")  # while it runs
        shutil.rmtree(tmp_path / "first" / "data")
        second = ServedNode(tmp_path / "second", destinations=[destination])
        qagate(second, "restore", tmp_path / "backup")
        pacs.start()
        with second:
            found = second.wait_for_state(uid, "delivered")
            assert found["revision"] == 1
            assert {name[1] for name in worklist_of(second)} == {"sent"}
        assert pacs.asked
        assert set(pacs.asked.values()) == {1}


def worklist_of(node: ServedNode) -> dict[tuple[str, str], int]:
    """Return how many deliveries are in each state."""
    database = node.database()
    with database.read() as session:
        counts = worklist.delivery_counts(session)
    database.close()
    return counts
