"""PostgreSQL is down when the node starts: images are taken, and everything else comes when the database does."""

from __future__ import annotations

import time

import pytest

from tests.crash.pacs import Pacs
from tests.crash.sending import Sender, series
from tests.integration.node import ServedNode
from tests.peers.postgres import Postgres
from tests.peers.postgres import available as postgres_available

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not postgres_available(), reason="needs PostgreSQL"),
    # pynetdicom leaves a socket open when nobody listens, which here is so until the node does
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_the_node_starts_without_its_database_and_takes_images(tmp_path):
    with Postgres() as cluster, Pacs(0, tmp_path / "pacs") as pacs:
        cluster.stop()
        node = ServedNode(
            tmp_path / "node",
            destinations=[{"name": "PACS", "ae_title": "MINIPACS", "host": "127.0.0.1", "port": pacs.port}],
            database_url=cluster.url,
        )
        try:
            node.start(wait=False)
            sender = Sender(node.port)
            images = series(1, 4)
            sender.send(images)  # until it listens
            node.wait(lambda: "waiting for it, tried again" in node.log(), 60, "the worker to wait")
            time.sleep(3)  # a try or two
            log = node.log()
            assert "ended with code" not in log
            assert log.count("waiting for it, tried again") == 1
            assert log.count("reception goes on into the spool") == 1
            cluster.start()
            uid = str(images[0].SeriesInstanceUID)
            node.wait(node.ready, 120, "the node to be ready")
            found = node.wait_for_state(uid, "delivered")
            assert found["instances"] == 4
            assert "incomplete_series" not in str(found["revisions"][0]["assessments"])
        finally:
            node.stop()
    assert set(sender.statuses) == {0}
