"""Real faults, one at a time: the PACS, the database, the disk and the sender misbehave; then the ledger."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import select, update

from qagate.domain.series import StoredInstance
from qagate.errors import StoreRefused
from qagate.store import reception
from qagate.store.database import Database
from qagate.store.tables import AssessmentRow, DeliveryRow, DocumentRow, RevisionRow, SeriesRow
from tests.crash.ledger import Ledger, account, say
from tests.crash.node import Node
from tests.crash.pacs import Pacs
from tests.crash.sending import Sender, in_background, series
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

AWAY_SECONDS = float(os.environ.get("QAGATE_TEST_AWAY_SECONDS", "5"))
"""How long the PostgreSQL server stays away."""


def destination(name: str, port: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "ae_title": "MINIPACS", "host": "127.0.0.1", "port": port, "timeout_seconds": 3, **more}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Pacs, Pacs, Sender]]:
    """A node with two destinations, and a sender."""
    folder = tmp_path_factory.mktemp("faults")
    with (
        Pacs(0, folder / "pacs") as pacs,
        Pacs(0, folder / "other") as other,
        Node(
            folder / "node",
            destinations=[destination("PACS", pacs.port), destination("OTHER", other.port, documents=("SR", "SC"))],
        ) as node,
    ):
        yield node, pacs, other, Sender(node.port)


def uid(number: int) -> str:
    return str(series(number, 1)[0].SeriesInstanceUID)


def deliveries(node: Node, number: int, name: str) -> dict[str, DeliveryRow]:
    """Return the deliveries of the newest revision of a series to one destination, by kind."""
    database = Database.open(node.database_url, migrate=False)
    with database.read() as session:
        rows = session.execute(
            select(DocumentRow.kind, DeliveryRow)
            .join(DeliveryRow, DeliveryRow.document_id == DocumentRow.id)
            .join(RevisionRow, RevisionRow.id == DocumentRow.revision_id)
            .where(RevisionRow.series_instance_uid == uid(number), DeliveryRow.destination == name)
            .order_by(RevisionRow.number)
        ).all()
    database.close()
    return {kind: row for kind, row in rows}  # noqa: C416


def revisions(node: Node, number: int) -> list[list[str]]:
    """Return the codes of the findings about each revision of a series."""
    database = Database.open(node.database_url, migrate=False)
    with database.read() as session:
        rows = session.execute(
            select(RevisionRow.number, AssessmentRow.document)
            .join(AssessmentRow, AssessmentRow.revision_id == RevisionRow.id)
            .where(RevisionRow.series_instance_uid == uid(number))
            .order_by(RevisionRow.number)
        ).all()
    database.close()
    return [[finding["code"] for finding in document["findings"]] for _, document in rows]


def at_end(node: Node, number: int, revision: int = 1) -> None:
    """Wait until a series is at its end."""

    def ended() -> bool:
        database = Database.open(node.database_url, migrate=False)
        with database.read() as session:
            row = session.get(SeriesRow, uid(number))
        database.close()
        return row is not None and row.state in ("delivered", "excluded", "failed") and row.revision >= revision

    node.wait(ended, 120, f"series {number} to be at its end")


def settle(node: Node, sender: Sender, pacs: Pacs, **more: Any) -> Ledger:
    """Return the ledger."""
    ledger = account(sender.promises, node.settings, node.database_url, pacs.objects(), **more)
    say(ledger)
    return ledger


# the destination


def test_a_pacs_that_is_down_gets_its_documents_when_it_is_up_and_the_other_need_not_wait(world):
    node, pacs, _other, sender = world
    pacs.stop()
    try:
        sender.send(series(1))
        node.wait(
            lambda: (
                any(row.attempts for row in deliveries(node, 1, "PACS").values())
                and {row.state for row in deliveries(node, 1, "OTHER").values()} == {"sent"}
            ),
            60,
            "a failed try here and a good one there",
        )
    finally:
        pacs.start()
    at_end(node, 1)
    assert settle(node, sender, pacs).faults == []


# number, statuses of the first C-STOREs, state and tries of SR and SC afterwards
@pytest.mark.parametrize(
    ("number", "answers", "states", "tries"),
    [
        (2, [0xA700], ("sent", "sent"), (2, 1)),  # the SR is refused for now, the SC behind it is taken
        (3, [0, 0x0110], ("sent", "sent"), (1, 2)),
        (4, [0xB000, 0xB000], ("warning", "warning"), (1, 1)),
        (5, [0x0111, 0x0111], ("warning", "warning"), (1, 1)),
    ],
    ids=["A700", "0110", "B000", "0111"],
)
def test_what_a_pacs_answers_decides_what_is_sent_again(world, number, answers, states, tries):
    node, pacs, _other, sender = world
    pacs.answers = list(answers)
    sender.send(series(number))
    at_end(node, number)
    rows = deliveries(node, number, "PACS")
    assert tuple(rows[kind].state for kind in ("SR", "SC")) == states
    assert tuple(rows[kind].attempts for kind in ("SR", "SC")) == tries
    assert settle(node, sender, pacs).faults == []


def test_a_pacs_that_breaks_off_after_each_object(world):
    node, pacs, _other, sender = world
    pacs.abort_after = 1
    try:
        sender.send(series(6))
        node.wait(
            lambda: any(row.attempts for row in deliveries(node, 6, "PACS").values()), 60, "a try that was broken off"
        )
    finally:
        pacs.abort_after = None
    at_end(node, 6)
    assert settle(node, sender, pacs).faults == []


def test_a_pacs_that_takes_and_never_answers_holds_up_nobody_else(world):
    node, pacs, _other, sender = world
    pacs.silent.set()
    try:
        sender.send(series(7))
        node.wait(
            lambda: (
                {row.state for row in deliveries(node, 7, "OTHER").values()} == {"sent"}
                and any("must answer" in row.detail for row in deliveries(node, 7, "PACS").values())
            ),
            60,
            "the other destination to be served and this one to be given up for now",
        )
    finally:
        pacs.silent.clear()
    at_end(node, 7)
    assert settle(node, sender, pacs).faults == []


# the sender


def test_other_bytes_under_a_known_uid_are_kept_and_said(world):
    node, pacs, _other, sender = world
    sender.send([*series(8), series(8, 1, grey=500)[0]], restart=False)
    at_end(node, 8)
    assert any("conflicting_copy" in codes for codes in revisions(node, 8))
    assert settle(node, sender, pacs).faults == []


def test_late_images_make_a_second_report_that_names_the_first(world):
    node, pacs, _other, sender = world
    sender.send(series(9))
    at_end(node, 9)
    first = deliveries(node, 9, "PACS")["SR"].sop_instance_uid
    sender.send(series(9, 2, first=3))
    at_end(node, 9, 2)
    assert len(revisions(node, 9)) == 2
    second = deliveries(node, 9, "PACS")["SR"].sop_instance_uid
    held = {o.sop_instance_uid: o for o in pacs.objects()}
    report = dcmread(held[second].path)
    assert (
        str(first) in report.PredecessorDocumentsSequence.to_json()
        if hasattr(report.PredecessorDocumentsSequence, "to_json")
        else first in str(report.PredecessorDocumentsSequence)
    )
    assert settle(node, sender, pacs).faults == []


def test_a_sender_that_aborts_half_way_leaves_a_series_that_is_called_incomplete(world):
    node, pacs, _other, sender = world
    sender.once(series(10, 4), stop_after=2)
    at_end(node, 10)
    (codes,) = revisions(node, 10)
    assert "incomplete_series" in codes
    assert settle(node, sender, pacs).faults == []


def test_half_a_series_after_a_crash_is_called_incomplete_too(world):
    node, pacs, _other, sender = world
    node.armed.arm("placed 2")  # the first two images are safe, and no row says so
    sender.once(series(11, 4))
    node.wait_for_death()
    at_end(node, 11)
    assert all("incomplete_series" in codes for codes in revisions(node, 11))
    assert settle(node, sender, pacs).faults == []


def test_one_series_over_several_associations_at_once(world):
    node, pacs, _other, sender = world
    images = series(12, 6)
    for thread in in_background(*(lambda part=images[n::3]: sender.send(part) for n in range(3))):
        thread.join(60)
    at_end(node, 12)
    assert settle(node, sender, pacs).faults == []


# what kills


def test_a_series_that_kills_its_worker_is_set_aside_and_the_others_go_on(tmp_path):
    with (
        Pacs(0, tmp_path / "pacs") as pacs,
        Node(tmp_path / "node", destinations=[destination("PACS", pacs.port)]) as node,
    ):
        sender = Sender(node.port)
        node.armed.arm(f"read 0 {uid(1)}/")
        sender.send(series(1))
        sender.send(series(2))
        node.wait_for_end(2, 180)
        assert node.deaths["work"] >= 3
        ledger = settle(node, sender, pacs, set_aside=[uid(1)])
        assert ledger.faults == []
        assert ledger.states == {"failed": 1, "delivered": 1}
        said = subprocess.run(
            [sys.executable, "-m", "qagate", "status", "--config", str(node.config)],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "1 failed" in said
        assert "0 unaccounted" in said


# the database


@pytest.mark.skipif(not postgres_available(), reason="needs PostgreSQL")
def test_postgresql_that_goes_away_and_comes_back(tmp_path):
    with (
        Postgres() as cluster,
        Pacs(0, tmp_path / "pacs") as pacs,
        Node(tmp_path / "node", destinations=[destination("PACS", pacs.port)], database_url=cluster.url) as node,
    ):
        sender = Sender(node.port)
        sender.send(series(1))
        cluster.stop()
        end = time.monotonic() + AWAY_SECONDS
        sender.send(series(2))
        number = 3
        while time.monotonic() < end or "reception goes on" not in node.log():
            if number < 8:
                sender.send(series(number))
                number += 1
            time.sleep(0.1)
        cluster.start()
        assert set(sender.statuses) == {0}, "objects were refused because the database was away"
        node.wait_for_end(number - 1, 240)
        assert settle(node, sender, pacs).faults == []


@pytest.mark.skipif(not postgres_available(), reason="needs PostgreSQL")
def test_postgresql_takes_what_is_longer_than_it_may_be(tmp_path):
    odd = StoredInstance(
        Path("/spool/1.dcm"), "1\0" * 90, "2" * 90, "3", "1.2.3" * 20, "4" * 90, "M" * 40, 1, "a" * 64, "S" * 40,
        datetime(2026, 11, 22, tzinfo=UTC),
    )  # fmt: skip
    with Postgres() as cluster, closing(Database.open(cluster.url)) as database:
        for new in (1, 0):
            with database.begin() as session:
                assert reception.register(session, [odd]) == new
        with pytest.raises(StoreRefused), database.begin() as session:
            session.execute(update(SeriesRow).values(modality="M" * 40))


def test_sqlite_that_is_locked_for_longer_than_anybody_waits(tmp_path):
    with (
        Pacs(0, tmp_path / "pacs") as pacs,
        Node(tmp_path / "node", destinations=[destination("PACS", pacs.port)]) as node,
    ):
        sender = Sender(node.port)
        sender.send(series(1))
        with closing(sqlite3.connect(node.database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("PRAGMA busy_timeout=30000")
            other.execute("BEGIN IMMEDIATE")
            sender.send(series(2))
            sender.send(series(3))
            node.wait(lambda: "reception goes on" in node.log(), 60, "the receiver to lose patience")
            other.execute("ROLLBACK")
        assert set(sender.statuses) == {0}
        node.wait_for_end(3, 240)
        assert settle(node, sender, pacs).faults == []


# the disk


def _tmpfs(folder: Path, size: str, *, again: bool = False) -> bool:
    options = f"{'remount,' if again else ''}size={size}"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    return done.returncode == 0


def test_a_full_disk_refuses_and_takes_again_when_there_is_space(tmp_path):
    spool = tmp_path / "node" / "data" / "spool"
    spool.mkdir(parents=True)
    if os.getuid() != 0 or not _tmpfs(spool, "64k"):
        pytest.skip("needs the right to mount a small file system")
    try:
        with (
            Pacs(0, tmp_path / "pacs") as pacs,
            Node(tmp_path / "node", destinations=[destination("PACS", pacs.port)]) as node,
        ):
            sender = Sender(node.port)
            images = series(1, 12)  # 12 × 9.5 kB
            left = list(images)
            sender.once(left)
            assert 0 < len(left) < 12
            assert set(sender.statuses) == {0, 0xA700}
            assert list(spool.rglob("*.part")) == []
            assert _tmpfs(spool, "4m", again=True)
            sender.send(left, restart=False)
            node.wait_for_end(1, 120)
            assert settle(node, sender, pacs).faults == []
    finally:
        subprocess.run(["umount", str(spool)], check=True)
