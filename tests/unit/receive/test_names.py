from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from qagate.receive import names
from qagate.receive.names import KEPT_SECONDS, Names


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, str], Callable[[float], None]]:
    """A name server: what it was asked, what it knows, and a clock that is moved on."""
    asked: list[str] = []
    known = {"ct1": "10.0.0.1"}
    clock = [1000.0]

    def getaddrinfo(host: str, _port: None) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        if host not in known:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(2, 1, 6, "", (known[host], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(names.time, "monotonic", lambda: clock[0])

    def later(seconds: float) -> None:
        clock[0] += seconds

    return asked, known, later


def test_a_name_server_that_is_away_turns_no_scanner_away_that_was_known(server) -> None:
    """Every scanner that node.peers has by name was rejected, each after the patience of the resolver."""
    asked, known, later = server
    hosts = Names()
    assert hosts.addresses("ct1") == {"10.0.0.1"}
    known.clear()
    later(KEPT_SECONDS)
    assert [hosts.addresses("ct1") for _ in range(3)] == [{"10.0.0.1"}] * 3
    assert asked == ["ct1", "ct1"]  # not for each association anew
    known["ct1"] = "10.0.0.2"
    later(KEPT_SECONDS)
    assert hosts.addresses("ct1") == {"10.0.0.2"}


def test_a_name_that_nobody_knows_has_no_address_and_is_asked_for_once_a_minute(server) -> None:
    asked, known, later = server
    hosts = Names()
    assert [hosts.addresses("ct9"), hosts.addresses("ct9")] == [frozenset(), frozenset()]
    known["ct9"] = "10.0.0.9"
    later(KEPT_SECONDS)
    assert hosts.addresses("ct9") == {"10.0.0.9"}
    assert asked == ["ct9", "ct9"]
