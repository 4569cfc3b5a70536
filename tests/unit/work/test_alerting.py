from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import select

from qagate.clock import SystemClock
from qagate.deliver.message import send
from qagate.domain.alert import certificates, nobody_judges
from qagate.domain.obstacle import Obstacle
from qagate.errors import DeliveryError, SettingsError, StoreError
from qagate.settings import Destination, DestinationTls, NodeTls, Settings
from qagate.store import alerts, forwarding, undelivered, workers
from qagate.store.database import Database
from qagate.store.tables import DeliveryRow, DocumentRow, ForwardRow, HoldingRow, InstanceRow
from qagate.tls import expiry
from qagate.work.alerting import Alerting
from qagate.work.outage import AWAY, BACK
from qagate.work.telling import Telling
from qagate.work.watching import Watchman
from tests.unit.certificates import Authority
from tests.web.seeds import Seed, seed


class Receiver(HTTPServer):
    """A webhook that keeps what it is told; `code` is its answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[dict[str, str]] = []
        self.code = 200

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def node(tmp_path, receiver) -> Iterator[Alerting]:
    settings = Settings.model_validate(
        {
            "storage": {"data_dir": tmp_path, "reserve_mb": 0},
            # what is seeded was written a while ago, and nobody sends it
            "alerts": {"urls": [receiver.url], "flagged_of_last": 5, "flagged_share": 0.6, "standstill_minutes": 9999},
        }
    )
    database = Database.open(settings.database_url)
    settings.spool_dir.mkdir()
    yield Alerting(settings, database, SystemClock())
    database.close()


def flag(node: Alerting, numbers: range, outcome: str = "review") -> None:
    for i in numbers:
        seed(node.database, node.settings, Seed(f"n{i}", outcome, 40.0, reasons=("Noisy",), minutes=100 - i))


def test_told_once_and_once_more_when_it_is_over(node, receiver):
    flag(node, range(5))
    for _ in range(3):
        node.watch()
    assert [(m["title"], m["message"]) for m in receiver.got] == [
        ("qagate: look", "CT2: many of its last 5 series are flagged")
    ]
    flag(node, range(5, 10), "accept")
    for _ in range(2):
        node.watch()
    assert [m["title"] for m in receiver.got] == ["qagate: look", "qagate: over"]
    assert "ACC" not in json.dumps(receiver.got)  # no patient data


def test_images_that_nobody_takes_are_told_like_documents(node, receiver):
    flag(node, range(1), "accept")
    with node.database.begin() as session:
        image = session.scalars(select(InstanceRow)).first()
        way = ForwardRow(
            instance_id=image.id, series_instance_uid=image.series_instance_uid, destination="VAULT",
            state=forwarding.PARKED, next_attempt_at=node.clock.now(),
        )  # fmt: skip
        session.add(way)
    node.watch()
    assert [m["message"] for m in receiver.got] == [PARKED]
    with node.database.begin() as session:
        assert undelivered.try_again(session, "VAULT", at=node.clock.now()) == 1
    node.watch()
    assert [m["title"] for m in receiver.got] == ["qagate: look", "qagate: over"]


def test_a_certificate_that_expires_is_told_weeks_before_and_once_more_when_it_has(node, receiver, tmp_path):
    own = Authority(tmp_path).issue("qagate", days=20)
    tls = DestinationTls(certificate_file=own.certificate_file, key_file=own.key_file)
    to = Destination(name="PACS", ae_title="P", host="h", port=1, tls=tls)
    gone = NodeTls(certificate_file=tmp_path / "on another machine.pem", key_file=own.key_file)
    node.settings.__dict__["destinations"] = (to,)
    node.settings.node.__dict__["tls"] = gone
    for _ in range(3):
        node.watch()
    day = f"{expiry(own.certificate_file):%Y-%m-%d}"
    assert [m["message"] for m in receiver.got] == [f"Our certificate for PACS expires on {day}"]
    ends = {"node": ("our certificate", expiry(own.certificate_file))}
    later = node.clock.now() + timedelta(days=30)
    assert [sign.words for sign in certificates(ends, later)] == [f"Our certificate expired on {day}"]
    assert certificates(ends, node.clock.now() - timedelta(days=20)) == ()


def test_what_was_not_taken_is_told_again(node, receiver):
    flag(node, range(5))
    receiver.code = 500
    with pytest.raises(DeliveryError):
        node.watch()
    receiver.code = 200
    node.watch()
    assert [m["title"] for m in receiver.got] == ["qagate: look", "qagate: look"]


@pytest.mark.parametrize("broken", ["json://127.0.0.1:1/hook", "nonsense://host"])
def test_an_address_that_is_broken_keeps_nothing_from_the_others_and_repeats_nothing(node, receiver, broken):
    """Who could be reached was told the same every 20 s, and of the next incident nothing."""
    urls = (broken, receiver.url)
    alerts_settings = node.settings.alerts.model_copy(update={"urls": urls, "disk_reserves": 1e9})
    storage = node.settings.storage.model_copy(update={"reserve_mb": 1})
    settings = node.settings.model_copy(update={"alerts": alerts_settings, "storage": storage})
    node = Alerting(settings, node.database, node.clock)
    flag(node, range(5))
    for _ in range(3):
        with pytest.raises((DeliveryError, SettingsError), match="entry 1"):
            node.watch()
    assert len(receiver.got) == 2  # the burst and the disk
    node.settings.alerts.__dict__["urls"] = (receiver.url,)
    node.watch()
    node.watch()
    assert len(receiver.got) == 2


def test_who_was_told_is_not_told_again_by_another_worker_or_after_a_restart(node, receiver):
    """As long as one address was broken, each start of each worker told the others everything once more."""
    node.settings.alerts.__dict__["urls"] = ("json://127.0.0.1:1/hook", receiver.url)
    flag(node, range(5))
    for _ in range(3):
        with pytest.raises(DeliveryError, match="entry 1"):
            Alerting(node.settings, node.database, node.clock).watch()
    assert len(receiver.got) == 1
    kept = node.settings.storage.data_dir / "alerts.told"
    assert "hook" not in kept.read_text()  # a secret may stand there
    with Telling(node.settings.storage.data_dir).alone() as alone:
        assert alone
        node.watch()  # leaves it to that one
    node.settings.alerts.__dict__["urls"] = (receiver.url,)
    for _ in range(2):
        Alerting(node.settings, node.database, node.clock).watch()
    assert len(receiver.got) == 1


def test_a_disk_that_takes_nothing_keeps_no_alert_back(node, receiver):
    node.settings.storage.__dict__["data_dir"] = node.settings.storage.data_dir / "that is not there"
    flag(node, range(5))
    node.watch()
    node.watch()
    assert len([m for m in receiver.got if "CT2" in m["message"]]) == 1


def test_an_acknowledged_one_is_not_told_again_until_it_is_over(node, receiver):
    flag(node, range(5))
    node.watch()
    with node.database.begin() as session:
        (row,) = alerts.listed(session)
        assert alerts.acknowledge(session, row.id, by="anna", at=node.clock.now()) is row
        alerts.acknowledge(session, row.id, by="bert", at=node.clock.now())
        assert row.acknowledged_by == "anna"
        row.words = "worse"
        session.flush()
        assert alerts.untold(session) == []


@pytest.mark.parametrize("url", ["nonsense://user:secret@host", "slack://secret", "msteams://secret"])
def test_an_address_with_a_slip_is_named_without_its_secret(url, caplog):
    with pytest.raises(SettingsError, match=rf"got {url.partition(':')[0]}:\.\.\.") as caught:
        send([url], "a", "b")
    assert "secret" not in str(caught.value) + caplog.text


def inline(node: Alerting, state: str = forwarding.PLANNED, **values: object) -> None:
    """Have one image, which came an hour ago, wait for VAULT."""
    node.settings.alerts.__dict__["standstill_minutes"] = 15
    flag(node, range(1), "accept")
    hour_ago = node.clock.now() - timedelta(hours=1)
    with node.database.begin() as session:
        image = session.scalars(select(InstanceRow)).first()
        image.received_at = hour_ago
        named = {"instance_id": image.id, "series_instance_uid": image.series_instance_uid, "destination": "VAULT"}
        session.add(ForwardRow(**{**named, "state": state, "next_attempt_at": hour_ago, **values}))


NOBODY = "Nobody sends what waits for VAULT: start `qagate forward` and `work`, or see their logs"
VAIN = (
    "Something for VAULT is tried in vain, again and again: see among the deliveries what it answers, and have it "
    "mended; what waits then goes by itself"
)
PARKED = (
    "1 delivery to VAULT parked: the settings do not name it; name it again, or give it up (`qagate give-up VAULT`)"
)


def told(receiver: Receiver) -> list[str]:
    return [m["message"] for m in receiver.got if "VAULT" in m["message"]]


def test_images_that_nobody_forwards_are_told_once_and_when_they_went(node, receiver):
    inline(node)
    for _ in range(2):
        node.watch()
    assert told(receiver) == [NOBODY]
    with node.database.begin() as session:
        (claimed,) = forwarding.claim(session, "VAULT", by="a", at=node.clock.now(), limit=9)
    node.watch()
    assert receiver.got[-1]["title"] == "qagate: over"  # somebody is at it
    with node.database.begin() as session:
        forwarding.sent(session, [(claimed, "")], at=node.clock.now())
    node.watch()
    assert told(receiver) == [NOBODY, NOBODY]


@pytest.mark.parametrize("obstacle", [Obstacle.UNREACHABLE, Obstacle.NOT_NOW])
def test_images_that_are_tried_in_vain_are_told(node, receiver, obstacle):
    """They are never parked, and an archive could be away for a week without a word."""
    inline(node, attempts=3, obstacle=obstacle)
    node.watch()
    assert told(receiver) == [VAIN]


def test_what_waits_for_a_shorter_time_is_not_told(node, receiver):
    inline(node, attempts=1, obstacle=Obstacle.UNREACHABLE)
    node.settings.alerts.__dict__["standstill_minutes"] = 90
    node.watch()
    assert told(receiver) == []


@pytest.mark.parametrize("decided", [True, False])
def test_held_images_that_nobody_lets_go_after_their_deadline_are_told(node, receiver, decided):
    inline(node, forwarding.HELD)
    with node.database.begin() as session:
        image, now = session.scalars(select(InstanceRow)).first(), node.clock.now()
        if decided:
            row = HoldingRow(series_instance_uid=image.series_instance_uid, state="held", held_at=now, until=now)
            session.add(row)
    node.watch()
    assert told(receiver) == ([] if decided else [NOBODY])
    if decided:
        with node.database.begin() as session:
            session.scalars(select(HoldingRow)).one().until = now - timedelta(minutes=30)
        node.watch()
        assert told(receiver) == [NOBODY]


def test_documents_that_wait_too_long_are_told_and_those_in_a_long_queue_are_not(node, receiver):
    node.settings.alerts.__dict__["standstill_minutes"] = 15
    flag(node, range(2))
    hour_ago = node.clock.now() - timedelta(hours=1)
    with node.database.begin() as session:
        for row in session.scalars(select(DeliveryRow)):
            row.destination, row.next_attempt_at, row.attempts = "VAULT", hour_ago, 0
        first = session.scalars(select(DeliveryRow)).first()
        first.state, first.sent_at = "sent", node.clock.now()
    node.watch()
    assert told(receiver) == []
    with node.database.begin() as session:
        session.get_one(DeliveryRow, first.id).sent_at = hour_ago
    node.watch()
    assert told(receiver) == [NOBODY]
    with node.database.begin() as session:
        for row in session.scalars(select(DeliveryRow).where(DeliveryRow.state == "planned")):
            row.attempts, row.obstacle = 13, Obstacle.UNREACHABLE
        for row in session.scalars(select(DocumentRow)):
            row.created_at = hour_ago
    node.watch()
    assert told(receiver) == [NOBODY, VAIN]


UNPROMISED = (
    "VAULT does not promise to keep what it took, and images stay on our disk for that: does its storage commitment "
    "work? Else set commitment = false for it"
)


def promising(node: Alerting, **values: object) -> None:
    vault = Destination(name="VAULT", ae_title="V", host="h", port=1, originals=True, commitment=True)
    node.settings.__dict__["destinations"] = (vault,)
    inline(node, **values)


def test_an_archive_that_never_promises_is_told_after_a_while(node, receiver):
    """Its images stayed on the disk for ever, without a word."""
    promising(node, state=forwarding.SENT, sent_at=node.clock.now() - timedelta(hours=1), attempts=1)
    node.watch()
    assert told(receiver) == []
    node.settings.alerts.__dict__["unpromised_hours"] = 0.5
    node.watch()
    assert told(receiver) == [UNPROMISED]


def test_an_archive_that_takes_again_and_again_and_never_keeps_is_told_once(node, receiver):
    """Each try made its images look as if they had just been taken."""
    promising(node, attempts=0)
    node.settings.alerts.__dict__.update(unpromised_hours=0.5, standstill_minutes=9999)
    for number in range(3):
        with node.database.begin() as session:
            (claimed,) = forwarding.claim(session, "VAULT", by="a", at=node.clock.now() + timedelta(hours=1), limit=9)
            forwarding.sent(session, [(claimed, "")], at=node.clock.now())
            forwarding.await_commitment(
                session, [claimed.forward_id], transaction_uid=f"1.{number}", at=node.clock.now()
            )
        node.watch()
        with node.database.begin() as session:
            uid = claimed.sop_instance_uid
            says = {"transaction_uid": f"1.{number}", "sop_instance_uids": [uid], "at": node.clock.now()}
            assert forwarding.not_committed(session, detail="not kept", **says) == 1
        node.watch()
    assert told(receiver) == [UNPROMISED]


@pytest.mark.parametrize("fault", [errno.EROFS, errno.EDQUOT, errno.ENOSPC])
def test_a_spool_that_takes_nothing_though_there_is_room_is_told(node, receiver, monkeypatch, fault):
    """No inodes, a quota, a file system gone read-only: only the log of the receiver said that objects are refused."""

    def full(**_: object) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    node.watch()
    words = f"The spool cannot be written ({os.strerror(fault)}): objects are refused, and their senders keep them"
    assert [m["message"] for m in receiver.got] == [words]
    monkeypatch.undo()
    node.watch()
    assert [m["title"] for m in receiver.got] == ["qagate: look", "qagate: over"]


class Hurried(SystemClock):
    """A clock that is moved on."""

    seconds = 0.0

    def monotonic_seconds(self) -> float:
        return self.seconds


def test_a_database_that_is_away_for_long_is_told_once_by_one_process_and_when_it_is_back(node, receiver, monkeypatch):
    """The incidents are kept in it: while it was away or full nobody was told of anything."""
    clock = Hurried()
    both = [Alerting(node.settings, node.database, clock) for _ in range(2)]

    def watch(seconds: float) -> None:
        clock.seconds = seconds
        for one in both:
            with contextlib.suppress(StoreError):
                one.watch()

    def away() -> None:
        raise StoreError("away")

    monkeypatch.setattr(node.database, "read", away)
    for seconds in (0, 100):
        watch(seconds)
    assert receiver.got == []
    receiver.code = 500
    with pytest.raises(DeliveryError):
        watch(130)
    receiver.got.clear()
    receiver.code = 200
    for seconds in (140, 160, 180):
        watch(seconds)
    assert [(m["title"], m["message"]) for m in receiver.got] == [("qagate: look", AWAY)]
    monkeypatch.undo()
    for seconds in (200, 220):
        watch(seconds)
    assert [(m["title"], m["message"]) for m in receiver.got[1:]] == [("qagate: over", BACK)]


def test_when_no_worker_lives_another_process_looks_and_says_so(node, receiver):
    """Who tells of incidents was the worker, and nobody told of its own end."""
    clock = Hurried()
    watchman = Watchman(node.settings, node.database, clock)

    def beat(queues: str) -> None:
        with node.database.begin() as session:
            workers.beat(session, "w", device="cpu", at=node.clock.now(), queues=queues)

    for seconds in range(0, 200, 20):
        clock.seconds = seconds
        beat("score deliver")
        assert not watchman.look()
    looked = []
    for seconds in range(200, 500, 20):
        clock.seconds = seconds
        looked.append(watchman.look())
    assert looked[0] is False
    assert looked[-1] is True
    assert [m["message"] for m in receiver.got] == [nobody_judges()[0].words]
    Alerting(node.settings, node.database, clock).watch()  # of a worker that is started again
    assert [m["title"] for m in receiver.got] == ["qagate: look", "qagate: over"]


def test_workers_that_could_not_beat_because_the_database_was_locked_are_not_taken_for_dead(
    node, receiver, monkeypatch
):
    clock = Hurried()
    watchman = Watchman(node.settings, node.database, clock)
    with node.database.begin() as session:
        workers.beat(session, "w", device="cpu", at=node.clock.now(), queues="score deliver")

    def locked() -> None:
        raise StoreError("locked")

    for seconds in range(0, 80, 20):
        clock.seconds = seconds
        watchman.look()
    with monkeypatch.context() as patch:
        patch.setattr(node.database, "begin", locked)
        for seconds in range(80, 400, 20):
            clock.seconds = seconds
            with contextlib.suppress(StoreError):
                watchman.look()
    clock.seconds = 401  # it is free again, and nobody has beaten yet
    watchman.look()
    assert nobody_judges()[0].words not in [m["message"] for m in receiver.got]


def test_a_worker_that_only_delivers_does_not_judge(node, receiver):
    clock = Hurried()
    alerting = Alerting(node.settings, node.database, clock)
    for seconds in range(0, 200, 20):
        clock.seconds = seconds
        with node.database.begin() as session:
            workers.beat(session, "w", device="cpu", at=node.clock.now(), queues="deliver")
        alerting.watch()
    assert [m["message"] for m in receiver.got] == [nobody_judges()[0].words]
