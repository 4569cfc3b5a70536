from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest

from tests.fuzz_scp import COMMITMENT, Account, association_request, command, data_sets, fuzz, p_data
from tests.unit.receive.scanner import make_object, receiving, send


def test_mutated_pdus_and_data_sets_break_nothing() -> None:
    before = threading.excepthook
    account = fuzz(300, seed=7, senders=4, say=lambda line: None)
    assert account.faults == [], str(account)
    assert account.inputs.total() >= 300
    assert {"requests", "messages", "objects"} == set(account.inputs)
    assert account.answers["accepted"] > 20
    assert threading.excepthook is before


def test_the_account_says_what_is_wrong() -> None:
    account = Account()
    assert "nothing left" in str(account)
    account.faults.append("connection 3 hung for 60 s")
    assert str(account).endswith("connection 3 hung for 60 s")


def _even_context() -> bytes:
    request = bytearray(association_request())
    first = request.index(b"\x20\0", 74)  # the first presentation context item, PS3.8 Table 9-13
    assert request[first + 4] == 1
    request[first + 4] = 2
    return bytes(request)


def _impatient() -> bytes:
    return association_request() + b"".join(p_data(1, 0, data_sets()[0]))


def _context_without_a_sop_class() -> bytes:
    request = bytearray(association_request())
    request[request.index(b"\x30\0", 74)] = 0x40  # its abstract syntax becomes one more transfer syntax
    return bytes(request)


@pytest.mark.parametrize("make", [_even_context, _impatient, _context_without_a_sop_class])
def test_what_the_fuzzer_found(tmp_path: Path, make: object) -> None:
    ended: list[object] = []
    hook, threading.excepthook = threading.excepthook, ended.append
    try:
        with receiving(tmp_path, acse_timeout_seconds=3600) as (receiver, _):
            with socket.create_connection(("127.0.0.1", receiver.port), 10) as connection:
                connection.sendall(make())  # type: ignore[operator]
                while connection.recv(4096):  # it is not left waiting
                    pass
            assert send(receiver.port, make_object()) == [0x0000]
    finally:
        threading.excepthook = hook
    assert ended == []


def test_a_commitment_result_that_is_no_data_set_is_refused_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torn = bytes.fromhex("08009911 ffffffff feff00e0 ffffffff 0800")  # a sequence that ends in the middle of a tag
    head = command(0x0100, sop_class=COMMITMENT, sop_instance="1.2.840.10008.1.20.1.1")
    with receiving(tmp_path) as (receiver, told):
        with socket.create_connection(("127.0.0.1", receiver.port), 10) as connection:
            connection.sendall(association_request())
            assert connection.recv(4096)[0] == 2
            connection.sendall(b"".join([*p_data(11, 1, head), *p_data(11, 0, torn)]))
            answer = connection.recv(4096)
        assert struct.pack("<HHIH", 0, 0x0900, 2, 0x0110) in answer
        assert told.commitments == []
    assert [r.exc_info for r in caplog.records if "SCANNER cannot be read, got" in r.getMessage()] == [None]
