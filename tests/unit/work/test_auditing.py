"""What the tables say reaches a syslog server, once, also when it was away."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from qagate.domain.audit import Act
from qagate.domain.series import StoredInstance
from qagate.errors import SpoolError
from qagate.observe.syslog import SyslogAway
from qagate.settings import Settings
from qagate.store import audit, reception
from qagate.store.database import Database
from qagate.store.events import event
from qagate.work.auditing import Auditing
from tests.unit.work.test_sweeps import HandClock


class Repository:
    """A syslog server over TCP, with octet counting, or over UDP."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.messages: list[bytes] = []
        self.server = socket.socket(type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        self.server.bind(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        if kind == "tcp":
            self.server.listen()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while self.kind == "udp":
                self.messages.append(self.server.recv(65536))
            while True:
                peer, _ = self.server.accept()
                with peer, peer.makefile("rb") as stream:
                    while length := b"".join(iter(lambda: stream.read(1).strip(), b"")):
                        self.messages.append(stream.read(int(length)))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def events(self, count: int) -> list[str]:
        """Wait for so many messages; return the meaning of their events."""
        end = time.monotonic() + 30
        while len(self.messages) < count and time.monotonic() < end:
            time.sleep(0.01)
        roots = [ElementTree.fromstring(m.partition(b"\xef\xbb\xbf")[2]) for m in self.messages]
        return [root.find("EventIdentification/EventID").get("originalText") for root in roots]


@pytest.fixture(params=["tcp", "udp"])
def told(tmp_path, request):
    """The duty, over a database in which something of each kind happened, and a server that listens."""
    repository = Repository(request.param)
    audit_settings = {"syslog": request.param, "host": "127.0.0.1", "port": repository.port}
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}, "audit": audit_settings})
    database, clock = Database.open(settings.database_url), HandClock()
    fill(database, clock.now())
    clock.time += timedelta(seconds=10)
    yield Auditing(settings, database, clock), repository
    database.close()
    repository.close()


def fill(database: Database, at) -> None:
    with database.begin() as session:
        event(session, at, "started", detail="qagate work w1")
        event(session, at, "verdict", "1.2.3", "nothing for an auditor")
        event(session, at, "refused", detail="EVIL at 10.6.6.6: unknown")
        audit.record(session, "ann", Act.LOGGED_IN, "", "password", at, address="10.0.0.9")
        audit.record(session, "ann", Act.SERIES_VIEWED, "1.2.3", "", at, address="10.0.0.9")
        audit.record(session, "ann", Act.AUDIT_READ, "", "", at)
        audit.record(session, "root", Act.ROLE_CHANGED, "", "ann: viewer → admin", at)
        reception.open_association(session, association_id="A1", calling_ae_title="CT1", called_ae_title="Q",
                                   host="10.0.0.21", receiver="r", at=at)  # fmt: skip
        one = StoredInstance(Path("/s/1"), "1.1", "1.2.840.10008.5.1.4.1.1.2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64,
                             "CT1", at, "A1")  # fmt: skip
        reception.register(session, [one])
        reception.close_association(session, association_id="A1", at=at, aborted=False)


EXPECTED = [
    "Application Activity",
    "Security Alert",
    "User Authentication",
    "DICOM Instances Accessed",
    "Audit Log Used",
    "Security Alert",
    "DICOM Instances Transferred",
]


def test_each_thing_is_told_once(told):
    duty, repository = told
    assert duty.sweep() == 7
    assert repository.events(7) == EXPECTED
    assert duty.sweep() == 0
    with duty.database.begin() as session:
        audit.record(session, "ann", Act.LOGGED_OUT, "", "", duty.clock.now())
    assert duty.sweep() == 0  # it is too young: another one may still be written before it
    duty.clock.time += timedelta(seconds=10)
    assert duty.sweep() == 1
    assert repository.events(8) == [*EXPECTED, "User Authentication"]


def test_a_server_that_was_away_is_told_what_it_missed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = Settings.model_validate(
        {"storage": {"data_dir": tmp_path}, "audit": {"syslog": "tcp", "host": "127.0.0.1", "port": port}}
    )
    database, clock = Database.open(settings.database_url), HandClock()
    fill(database, clock.now())
    clock.time += timedelta(seconds=10)
    with pytest.raises(SyslogAway, match=f"127.0.0.1:{port} cannot be reached"):
        Auditing(settings, database, clock).sweep()
    repository = Repository("tcp")
    there = settings.model_copy(update={"audit": settings.audit.model_copy(update={"port": repository.port})})
    assert Auditing(there, database, clock).sweep() == 7
    assert repository.events(7) == EXPECTED
    database.close()
    repository.close()


def test_a_bookmark_that_cannot_be_written_is_the_one_before(told, monkeypatch):
    """A full disk cut it short, and everything was told again, from the first day on."""
    duty, _ = told
    assert duty.sweep() == 7
    with duty.database.begin() as session:
        audit.record(session, "ann", Act.LOGGED_OUT, "", "", duty.clock.now())
    duty.clock.time += timedelta(seconds=10)

    def full(path: Path, *_: object, **__: object) -> None:
        path.open("w").close()
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(SpoolError, match="no space left"):
            duty.sweep()
    assert duty.sweep() == 1


def test_what_somebody_asked_at_great_length_keeps_nothing_from_being_told(told):
    """An address of 64 kB that was refused fitted no datagram: it was tried for ever, and nothing after it told."""
    duty, repository = told
    with duty.database.begin() as session:
        audit.record(session, "ann", Act.REFUSED, "", f"GET /{'x' * 70_000} needs decide", duty.clock.now())
    duty.clock.time += timedelta(seconds=10)
    assert duty.sweep() == 8
    assert "Security Alert" in repository.events(8)


def test_it_is_off_unless_asked_for(tmp_path):
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}})
    database = Database.open(settings.database_url)
    assert Auditing(settings, database, HandClock()).sweep() == 0
    assert not (tmp_path / "audit.bookmark").exists()
    database.close()
