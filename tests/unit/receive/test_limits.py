from __future__ import annotations

import gc
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.dul import DULServiceProvider
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from qagate.receive import farewell, incoming
from tests.unit.receive.scanner import associate, make_object, receiving, send, silent_clients
from tests.unit.receive.test_server import raw_store

TURNED_AWAY = b"\x03\0\0\0\0\4\0\2\3\2"  # A-ASSOCIATE-RJ: transient, local limit exceeded


def wait_for(condition: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def anonymous_kib() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1])


@pytest.mark.parametrize("limit", ["max_connections_per_host", "max_connections"])
def test_one_connection_too_many_is_turned_away_and_the_next_is_not(
    tmp_path: Path, limit: str, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(tmp_path, **{limit: 5}) as (receiver, _):
        silent = silent_clients(receiver.port, 5)
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", receiver.port), 5) as late:
                assert late.recv(100) == TURNED_AWAY
                assert late.recv(100) == b""
        association = associate(receiver.port, Verification, timeout_seconds=5)
        assert association.is_rejected  # politely: no reset, no abort
        for each in silent:
            each.close()
        assert receiver._server is not None
        connections = receiver._server.connections
        wait_for(lambda: connections.total == 0)
        assert send(receiver.port, make_object()) == [0x0000]
        wait_for(lambda: connections.total == 0)
    lines = [r.getMessage() for r in caplog.records if "refused: " in r.getMessage()]
    assert len(lines) == 1
    assert f"node.{limit}" in lines[0]


def test_who_asks_late_is_told_no_and_not_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the question came after the answer, and the answer was lost with the reset that followed."""
    monkeypatch.setattr(farewell, "_SILENT_SECONDS", 0.1)
    sending = DULServiceProvider._send

    def late(self: Any, *arguments: Any) -> None:
        time.sleep(1.0)
        sending(self, *arguments)

    with receiving(tmp_path, max_connections=1) as (receiver, _):
        (silent,) = silent_clients(receiver.port, 1)
        wait_for(lambda: receiver._server.connections.total == 1)
        with socket.create_connection(("127.0.0.1", receiver.port), 5) as plain:
            time.sleep(1.0)
            for _ in range(3):  # each of them to a socket that must still be there
                plain.send(bytes(100))
                time.sleep(0.2)
            assert plain.recv(100) == TURNED_AWAY
            assert plain.recv(100) == b""
        monkeypatch.setattr(DULServiceProvider, "_send", late)
        assert associate(receiver.port, Verification, timeout_seconds=5).is_rejected
        silent.close()


def test_other_hosts_are_not_affected(tmp_path: Path) -> None:
    with receiving(tmp_path, host="0.0.0.0", max_connections_per_host=2) as (receiver, _):
        silent = [socket.create_connection(("127.0.0.1", receiver.port), 5, ("127.0.0.2", 0)) for _ in range(3)]
        assert silent[2].recv(100) == TURNED_AWAY
        assert send(receiver.port, make_object()) == [0x0000]
        for each in silent:
            each.close()


@pytest.mark.parametrize("spill_bytes", [1 << 30, 1 << 16])
def test_an_object_that_is_too_large_is_refused_and_leaves_nothing(
    tmp_path: Path, spill_bytes: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(incoming.Incoming.__init__, "__defaults__", (None, lambda: 1 << 62, spill_bytes))
    large = make_object("1.2.3.9", PixelData=bytes(1_000_000), BitsAllocated=8)
    fits = make_object("1.2.3.8", PixelData=bytes(200_000), BitsAllocated=8)
    with receiving(tmp_path) as (receiver, told):
        receiver._storage._max_object_bytes = 500_000
        assert send(receiver.port, make_object(), large, fits, large, make_object("1.2.3.2")) == [
            0x0000, 0xA700, 0x0000, 0xA700, 0x0000,
        ]  # fmt: skip
        told.closed()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "1.2.3.1.dcm", "1.2.3.2.dcm", "1.2.3.8.dcm",
    ]  # fmt: skip
    lines = [r.getMessage() for r in caplog.records if "max_object_mb" in r.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith("receive: an object from SCANNER is refused: an object must have at most 500000 bytes")


def test_a_large_object_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming.Incoming.__init__, "__defaults__", (None, lambda: 1 << 62, 1 << 20))
    megabyte = b"\4\0" + (1_000_006).to_bytes(4, "big") + (1_000_002).to_bytes(4, "big") + b"\1\0" + bytes(1_000_000)
    with receiving(tmp_path, max_pdu_bytes=0) as (receiver, told):
        association = associate(receiver.port, CTImageStorage, timeout_seconds=60)
        command = raw_store(association, b"\0\0", "1.2.3.4")[0]
        association.dul.send_pdu(command)
        time.sleep(0.1)
        connection = association.dul.socket.socket
        before = anonymous_kib()
        seen: list[int] = []
        told.on_stored = lambda instance: (seen.append(anonymous_kib()), told.instances.append(instance))[0]
        for _ in range(150):
            connection.sendall(megabyte)
        connection.sendall(b"\4\0\0\0\0\x08\0\0\0\4\1\2\0\0")
        wait_for(lambda: told.instances, 60)
        association.abort()
        told.closed()
    assert told.instances[0].size_bytes == 150_000_002
    assert seen[0] - before < 50_000
    assert not list(tmp_path.rglob("*.part"))


def test_nothing_is_left_when_everything_is_over(tmp_path: Path) -> None:
    def left() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    before = left()
    with receiving(tmp_path, acse_timeout_seconds=3600) as (receiver, told):
        silent = silent_clients(receiver.port, 10)
        send(receiver.port, make_object())
        associate(receiver.port, Verification).abort()
        associate(receiver.port, Verification, calling="STRANGER")
        told.closed(2)
    for each in silent:
        each.close()
    wait_for(lambda: left()[0] <= before[0] and left()[1] <= before[1])
