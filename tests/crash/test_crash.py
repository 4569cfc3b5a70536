"""A few deaths, one after the other, and the ledger. `make crash` runs them all, and hundreds at random."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.crash import matrix
from tests.crash.killing import POINTS
from tests.crash.ledger import Ledger, say
from tests.crash.report import Report
from tests.peers.postgres import Postgres
from tests.peers.postgres import available as postgres_available

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    # pynetdicom leaves a socket open when nobody listens, which here is often so
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SOME = ("linked", "kept", "complete", "document", "one-sent", "sent")
"""One of each kind: bytes without a row, a row without an answer, a row without work, a document without a row, ..."""


def test_nothing_is_lost_or_double_whenever_a_process_dies(tmp_path: Path) -> None:
    ledger, deaths = matrix.every_point(tmp_path, SOME)
    say(ledger)
    assert deaths >= len(SOME)
    assert ledger.faults == []
    assert ledger.promised == 3 * len(SOME)  # three images in each series


def test_every_image_goes_on_whenever_the_forwarder_dies(tmp_path: Path) -> None:
    points = ("intended", "held", "letting-go", "one-forwarded", "forwarded", "forward-marking")
    ledger, deaths = matrix.every_point(tmp_path, points)
    say(ledger)
    assert deaths >= len(points)
    assert ledger.faults == []
    assert ledger.originals.total() == 3 * len(points)


@pytest.mark.skipif(not postgres_available(), reason="needs PostgreSQL")
def test_nor_with_postgresql(tmp_path: Path) -> None:
    with Postgres() as cluster:
        ledger, deaths = matrix.every_point(tmp_path, ("row", "recording", "marking"), cluster.url)
    say(ledger)
    assert deaths >= 3
    assert ledger.faults == []


def test_every_point_has_a_sentence_and_a_place() -> None:
    assert len(POINTS) == 53
    assert all(point.sentence and ":" in point.target for point in POINTS.values())


def test_reports_are_kept_and_added_up(tmp_path: Path) -> None:
    one = Report(Ledger(promised=3, states=Counter({"delivered": 1}), stuck=["x"]), 2, [("pacs-down", "sqlite")])
    one.write(tmp_path / "one.json")
    both = Report.read(tmp_path / "one.json") + one
    assert (both.ledger.promised, both.ledger.states, both.ledger.stuck) == (6, {"delivered": 2}, ["x", "x"])
    assert (both.deaths, both.played) == (4, [("pacs-down", "sqlite")] * 2)
