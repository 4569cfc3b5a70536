from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
)
from pynetdicom import build_role
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from qagate.deliver.peer import Requestor
from qagate.domain.series import StoredInstance
from qagate.errors import SettingsError, SpoolError, StoreError
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.settings import Node, Peer
from tests.unit.receive.scanner import Told, associate, found_in, make_object, receiving, send, silent_clients

PRIVATE_SOP_CLASS = "1.2.826.0.1.3680043.99.1"
PRIVATE_SYNTAX = "1.2.826.0.1.3680043.99.2"


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def raw_store(association: Any, data_set: bytes, sop_instance_uid: str, context: int = 0) -> Any:
    """C-STORE these bytes as they are; returns the messages to send."""
    request = C_STORE()
    request.MessageID = 7
    request.Priority = 2
    accepted = association.accepted_contexts[context]
    request.AffectedSOPClassUID = accepted.abstract_syntax
    request.AffectedSOPInstanceUID = sop_instance_uid
    request.DataSet = BytesIO(data_set)
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    message.context_id = accepted.context_id
    return list(message.encode_msg(accepted.context_id, 16384))


def send_raw(association: Any, data_set: bytes, sop_instance_uid: str) -> int:
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)
    for primitive in raw_store(association, data_set, sop_instance_uid):
        association.dul.send_pdu(primitive)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert response is not None
    assert response.MessageIDBeingRespondedTo == 7
    assert response.AffectedSOPInstanceUID == sop_instance_uid
    return int(response.Status)


def test_an_object_comes_in(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        assert send(receiver.port, make_object()) == [0x0000]
        (closed,) = told.closed()
        (opened,) = [event for event in told.events if event.opened]
        (instance,) = told.instances
    assert files(tmp_path) == ["1.2.3/1.2.3.1.dcm"]
    assert (opened.calling_ae_title, opened.called_ae_title, opened.host) == ("SCANNER", "QAGATE", "127.0.0.1")
    assert opened.id == closed.id == instance.association_id
    assert opened.at <= instance.received_at <= closed.at
    assert not closed.aborted
    assert instance.path.read_bytes().endswith(encode(make_object(), False, True) or b"?")


def test_echo(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, _):
        association = associate(receiver.port, Verification)
        assert association.send_c_echo().Status == 0x0000
        association.release()


@pytest.mark.parametrize(
    ("sop_class", "syntax"),
    [
        (CTImageStorage, JPEG2000Lossless),
        (MRImageStorage, ImplicitVRLittleEndian),
        (MRImageStorage, ExplicitVRBigEndian),
        ("1.2.840.10008.5.1.4.1.1.481.3", ExplicitVRLittleEndian),  # RT structure set
        ("1.2.840.10008.5.1.4.1.1.77.1.6", "1.2.840.10008.1.2.4.50"),  # whole slide, JPEG
        ("1.2.840.10008.5.1.1.27", ExplicitVRLittleEndian),  # retired: stored print
        (PRIVATE_SOP_CLASS, ExplicitVRLittleEndian),
        (CTImageStorage, PRIVATE_SYNTAX),
        ("1.2.840.10008.5.1.4.1.2.2.1", ExplicitVRLittleEndian),  # nothing is storable that we know as a service ...
    ],
)
def test_whatever_is_sent_is_kept_as_sent(tmp_path: Path, sop_class: str, syntax: str) -> None:
    data_set = b"bytes that only their maker understands\0"
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, (sop_class, syntax))
        assert association.is_established
        assert association.accepted_contexts[0].transfer_syntax == [syntax]
        assert send_raw(association, data_set, "1.2.3.4") == 0x0000
        association.release()
        (instance,) = told.instances
    assert instance.path.read_bytes().endswith(data_set)
    assert (instance.sop_class_uid, instance.transfer_syntax_uid) == (sop_class, syntax)
    assert (instance.sop_instance_uid, instance.modality) == ("1.2.3.4", "")


def test_explicit_vr_is_preferred_within_one_context(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, _):
        association = associate(
            receiver.port,
            (CTImageStorage, [ImplicitVRLittleEndian, ExplicitVRLittleEndian]),
            (MRImageStorage, [JPEG2000Lossless, ExplicitVRLittleEndian]),
            (CTImageStorage, ImplicitVRLittleEndian),
            (CTImageStorage, JPEG2000Lossless),
        )
        chosen = [context.transfer_syntax[0] for context in association.accepted_contexts]
        association.release()
    assert chosen == [ExplicitVRLittleEndian, JPEG2000Lossless, ImplicitVRLittleEndian, JPEG2000Lossless]


@pytest.mark.parametrize("uid", ["../../x", "/etc/passwd", "1.2/../../3", "."])
def test_uids_that_look_like_paths_are_harmless(tmp_path: Path, uid: str) -> None:
    root = tmp_path / "a" / "b" / "spool"
    root.mkdir(parents=True)
    with receiving(root) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        data_set = encode(make_object(uid, uid), True, True)
        assert send_raw(association, data_set or b"", uid) == 0x0000
        association.release()
    assert told.instances[0].sop_instance_uid == uid
    assert files(tmp_path) == [f"a/b/spool/{name}" for name in files(root)]
    assert len(files(root)) == 1


def test_duplicate_and_conflict(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        statuses = send(receiver.port, make_object(), make_object(), make_object(InstanceNumber=5))
    assert statuses == [0x0000] * 3
    assert [instance.arrival for instance in told.instances] == ["new", "repeated", "conflicting"]
    assert len(files(tmp_path)) == 2


# who may send


@pytest.mark.parametrize(
    ("node", "calling", "called", "reason"),
    [
        ({}, "STRANGER", "QAGATE", (1, 1, 3)),
        ({"peers": ()}, "SCANNER", "QAGATE", (1, 1, 3)),
        ({"peers": (Peer(ae_title="SCANNER", host="192.0.2.1"),)}, "SCANNER", "QAGATE", (1, 1, 3)),
        ({}, "SCANNER", "OTHER", (1, 1, 7)),
        ({"accept_unknown_peers": True}, "STRANGER", "OTHER", (1, 1, 7)),
        ({"check_called_ae_title": False}, "SCANNER", "OTHER", None),
        ({"accept_unknown_peers": True}, "STRANGER", "QAGATE", None),
        ({"peers": (Peer(ae_title="SCANNER", host="127.0.0.1"),)}, "SCANNER", "QAGATE", None),
        ({"peers": (Peer(ae_title="SCANNER", host="localhost"),)}, "SCANNER", "QAGATE", None),
        ({"peers": (Peer(ae_title="SCANNER", host="192.0.2.1"), Peer(ae_title="SCANNER"))}, "SCANNER", "QAGATE", None),
    ],
)
def test_who_may_associate(
    tmp_path: Path, node: dict[str, Any], calling: str, called: str, reason: tuple[int, int, int] | None
) -> None:
    with receiving(tmp_path, **node) as (receiver, told):
        association = associate(receiver.port, Verification, calling=calling, called=called)
        assert association.is_established is (reason is None)
        if reason is None:
            association.release()
        else:
            assert association.is_rejected
            reply = association.acceptor.primitive
            assert (reply.result, reply.result_source, reply.diagnostic) == reason
            assert told.events == []


def test_an_unknown_peer_is_named_once_so_that_it_can_be_added(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(tmp_path) as (receiver, _):
        for _ in range(3):
            associate(receiver.port, Verification, calling="CT_ROOM_2")
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("qagate") and r.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert 'add {ae_title = "CT_ROOM_2", host = "127.0.0.1"} to node.peers' in lines[0]


def test_no_patient_data_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(tmp_path) as (receiver, told):
        send(receiver.port, make_object(), make_object(InstanceNumber=2))
        told.on_stored = lambda instance: (_ for _ in ()).throw(StoreError("down"))
        send(receiver.port, make_object("1.2.3.4"))
        told.closed(2)
    assert "1.2.3.1" in caplog.text
    assert "Doe" not in caplog.text
    assert "SECRET42" not in caplog.text


# Success means durable


def test_success_comes_after_the_file_and_after_the_callback(tmp_path: Path) -> None:
    seen: list[bool] = []
    release = threading.Event()
    with receiving(tmp_path) as (receiver, told):

        def hold(instance: StoredInstance) -> None:
            seen.append(instance.path.exists())
            release.wait(10)

        told.on_stored = hold
        statuses: list[int] = []
        sender = threading.Thread(target=lambda: statuses.extend(send(receiver.port, make_object())))
        sender.start()
        while not seen:
            time.sleep(0.01)
        assert statuses == []
        release.set()
        sender.join(10)
    assert (seen, statuses) == ([True], [0x0000])


def test_a_database_that_is_down_does_not_refuse_bytes_that_are_safe(tmp_path: Path) -> None:
    def down(instance: StoredInstance) -> None:
        raise StoreError("the database cannot be reached")

    with receiving(tmp_path) as (receiver, told):
        told.on_stored = down
        assert send(receiver.port, make_object()) == [0x0000]
    assert [instance.sop_instance_uid for instance in found_in(Spool(tmp_path, 0))] == ["1.2.3.1"]


def test_a_fault_outside_is_a_failure_and_not_an_abort(tmp_path: Path) -> None:
    def broken(instance: StoredInstance) -> None:
        raise KeyError("a mistake of ours")

    with receiving(tmp_path) as (receiver, told):
        told.on_stored = broken
        assert send(receiver.port, make_object(), make_object("1.2.3.2")) == [0x0110, 0x0110]
        told.on_stored = told.instances.append
        assert send(receiver.port, make_object()) == [0x0000]


def test_a_full_disk_is_answered_with_out_of_resources(tmp_path: Path) -> None:
    with receiving(tmp_path, reserve_bytes=1 << 60) as (receiver, told):
        assert send(receiver.port, make_object(), make_object("1.2.3.2")) == [0xA700, 0xA700]
        receiver._storage._spool.reserve_bytes = 0
        assert send(receiver.port, make_object()) == [0x0000]
    assert len(told.instances) == 1
    assert len(files(tmp_path)) == 1


def test_a_spool_that_fails_is_answered_with_out_of_resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Spool, *arguments: Any, **options: Any) -> None:
        raise SpoolError("the spool cannot be written, got Read-only file system")

    with receiving(tmp_path) as (receiver, _):
        monkeypatch.setattr(Spool, "store", fail)
        assert send(receiver.port, make_object()) == [0xA700]


def test_a_message_without_a_data_set_is_refused(tmp_path: Path) -> None:
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHI", 0, number, len(value)) + value

    command = element(0x0002, b"1.2.840.10008.5.1.4.1.1.2\0") + element(0x0100, b"\1\0") + element(0x0110, b"\7\0")
    command += element(0x0800, b"\1\1") + element(0x1000, b"1.2.3\0")  # 0x0101: no data set follows
    item = struct.pack(">IBB", len(command) + 2, 1, 3) + command
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        association._reactor_checkpoint.clear()
        association.dul.socket.socket.sendall(struct.pack(">BBI", 4, 0, len(item)) + item)
        _, response = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        assert response is not None
        assert response.Status == 0xC000
        association.release()
    assert told.instances == []


# associations that end otherwise


def test_a_sender_that_aborts_half_way_keeps_what_was_complete(tmp_path: Path) -> None:
    big = encode(make_object("1.2.3.9", PixelData=bytes(300_000), BitsAllocated=8), True, True) or b""
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        for uid in ("1.2.3.1", "1.2.3.2"):
            assert send_raw(association, encode(make_object(uid), True, True) or b"", uid) == 0x0000
        for primitive in raw_store(association, big, "1.2.3.9")[:5]:
            association.dul.send_pdu(primitive)
        time.sleep(0.1)
        association.abort()
        (closed,) = told.closed()
        assert closed.aborted
        assert receiver.open_associations == 0
    assert [instance.sop_instance_uid for instance in told.instances] == ["1.2.3.1", "1.2.3.2"]
    assert files(tmp_path) == ["1.2.3/1.2.3.1.dcm", "1.2.3/1.2.3.2.dcm"]


def test_a_sender_that_vanishes_half_way(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        assert send_raw(association, encode(make_object(), True, True) or b"", "1.2.3.1") == 0x0000
        for primitive in raw_store(association, bytes(300_000), "1.2.3.9")[:5]:
            association.dul.send_pdu(primitive)
        time.sleep(0.1)
        connection = association.dul.socket.socket
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, as a crash does
        connection.close()
        (closed,) = told.closed()
        assert closed.aborted
        association.kill()
        assert send(receiver.port, make_object("1.2.3.3")) == [0x0000]
    assert files(tmp_path) == ["1.2.3/1.2.3.1.dcm", "1.2.3/1.2.3.3.dcm"]


def test_a_sender_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    with receiving(tmp_path, network_timeout_seconds=0.5) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        (closed,) = told.closed()
        assert closed.aborted
        association.kill()
    assert len(told.events) == 2


def test_a_sender_that_falls_silent_inside_a_message_is_given_up_sooner(tmp_path: Path) -> None:
    with receiving(tmp_path, network_timeout_seconds=30, dimse_timeout_seconds=0.5) as (receiver, told):
        association = associate(receiver.port, CTImageStorage, timeout_seconds=60)
        time.sleep(1)
        assert receiver.open_associations == 1  # between two messages it may be silent
        for primitive in raw_store(association, bytes(300_000), "1.2.3.9")[:5]:
            association.dul.send_pdu(primitive)
        (closed,) = told.closed(seconds=5)
        assert closed.aborted
        association.kill()


def test_a_sender_that_waits_for_a_slow_disk_is_not_taken_for_silent(tmp_path: Path) -> None:
    with receiving(tmp_path, network_timeout_seconds=0.5, dimse_timeout_seconds=0.5) as (receiver, told):
        told.on_stored = lambda instance: time.sleep(1.5)
        assert send(receiver.port, make_object("1.2.3.1"), make_object("1.2.3.2")) == [0x0000, 0x0000]


def test_every_end_is_told_exactly_once(tmp_path: Path) -> None:
    with receiving(tmp_path, max_associations=50) as (receiver, told):
        for _ in range(5):
            associate(receiver.port, Verification).release()
            associate(receiver.port, Verification).abort()
            associate(receiver.port, Verification, calling="STRANGER")
        left_open = associate(receiver.port, Verification)
        told.closed(10)
        receiver.stop(grace_seconds=0.1)
    left_open.kill()
    ends = [event for event in told.events if not event.opened]
    assert len(ends) == len({event.id for event in ends}) == 11  # 5 released, 5 aborted, 1 by stopping
    assert {event.id for event in told.events if event.opened} == {event.id for event in ends}


def test_a_listener_that_fails_does_not_stop_reception(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        receiver._on_association = lambda event: (_ for _ in ()).throw(StoreError("down"))
        assert send(receiver.port, make_object()) == [0x0000]
        receiver._on_association = lambda event: (_ for _ in ()).throw(ZeroDivisionError())
        assert send(receiver.port, make_object("1.2.3.2")) == [0x0000]
    assert len(told.instances) == 2


# many, silent and hostile peers


def test_silent_clients_are_in_nobodys_way(tmp_path: Path) -> None:
    with receiving(tmp_path, max_associations=3) as (receiver, _):
        silent = silent_clients(receiver.port, 40)
        try:
            association = associate(receiver.port, Verification, timeout_seconds=5)
            assert association.is_established
            assert association.send_c_echo().Status == 0x0000
            association.release()
            assert send(receiver.port, make_object()) == [0x0000]
        finally:
            for client in silent:
                client.close()


def test_silent_clients_are_shown_out(tmp_path: Path) -> None:
    with receiving(tmp_path, acse_timeout_seconds=0.3) as (receiver, told):
        (client,) = silent_clients(receiver.port, 1)
        client.settimeout(10)
        assert client.recv(100) in (b"", b"\x07\0\0\0\0\4\0\0\0\0", b"\x07\0\0\0\0\4\0\0\2\0")
        client.close()
    assert told.events == []


def test_the_limit_counts_associations(tmp_path: Path) -> None:
    with receiving(tmp_path, max_associations=2) as (receiver, told):
        first, second = (associate(receiver.port, Verification) for _ in range(2))
        third = associate(receiver.port, Verification)
        assert third.is_rejected
        reply = third.acceptor.primitive
        assert (reply.result, reply.result_source, reply.diagnostic) == (2, 3, 2)
        first.release()
        told.closed(1)
        fourth = associate(receiver.port, Verification)
        assert fourth.is_established
        fourth.release()
        second.release()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(100),  # a TLS client
        b"\x01\0\0\0\0\x10" + bytes(16),  # an association request that is too short
        b"\x01\0\xff\xff\xff\xff" + bytes(1000),  # one that would be 4 GiB
        b"\x04\0\0\0\0\x06\0\0\0\2\1\3",  # P-DATA before any association
        b"\x05\0\0\0\0\4\0\0\0\0",
        b"\x09\0\0\0\0\4\0\0\0\0",
        b"\x01",
    ],
)
def test_nonsense_ends_only_its_own_connection(tmp_path: Path, nonsense: bytes) -> None:
    with receiving(tmp_path, acse_timeout_seconds=0.5) as (receiver, told):
        client = socket.create_connection(("127.0.0.1", receiver.port), timeout=10)
        client.sendall(nonsense)
        while client.recv(4096):
            pass
        client.close()
        assert send(receiver.port, make_object()) == [0x0000]
        told.closed()
    assert len(told.events) == 2


@pytest.mark.parametrize(
    "pdu",
    [
        b"\x04\0\x7f\xff\xff\xff" + bytes(100),  # a PDU of 2 GiB
        b"\x04\0\0\0\0\x0a\0\0\0\xff\1\0\0\0\0\0",  # an item that is longer than its PDU
        b"\x04\0\0\0\0\x05\0\0\0\1\1",  # an item without a control byte
        b"\x04\0\0\0\0\x0a\0\0\0\6\1\3garb",  # a command set that is none
        b"\x04\0\0\0\0\2\0\0",
    ],
)
def test_broken_messages_end_only_their_own_association(tmp_path: Path, pdu: bytes) -> None:
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        association.dul.socket.socket.sendall(pdu)
        told.closed()
        association.kill()
        assert send(receiver.port, make_object()) == [0x0000]


def test_a_command_set_without_end_is_given_up(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        item = struct.pack(">IBB", 10_002, 1, 1) + bytes(10_000)  # a fragment of a command, never the last
        pdu = struct.pack(">BBI", 4, 0, len(item)) + item
        connection = association.dul.socket.socket  # the association forgets it as soon as the other side hangs up
        with contextlib.suppress(OSError):  # it may have hung up already
            for _ in range(20):
                connection.sendall(pdu)
        told.closed()
        association.kill()


def test_a_message_without_end_that_stores_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qagate.receive.provider._MAX_INFORMATION_BYTES", 100_000)
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        item = struct.pack(">IBB", 10_002, 1, 0) + bytes(10_000)  # a fragment of a data set, never the last
        pdu = struct.pack(">BBI", 4, 0, len(item)) + item
        connection = association.dul.socket.socket
        with contextlib.suppress(OSError):
            for _ in range(20):
                connection.sendall(pdu)
        told.closed()
        association.kill()


def test_a_peer_that_trickles_is_given_up(tmp_path: Path) -> None:
    with receiving(tmp_path, network_timeout_seconds=0.5, acse_timeout_seconds=0.5) as (receiver, told):
        for start in (b"\x01\0\0\0\1\0", None):
            association = None if start else associate(receiver.port, CTImageStorage)
            client = association.dul.socket.socket if association else silent_clients(receiver.port, 1)[0]
            assert client is not None
            client.sendall(start or b"\x04\0\0\0\1\0")  # announces 256 bytes
            with contextlib.suppress(OSError):
                for _ in range(200):
                    client.sendall(b"\0")
                    time.sleep(0.02)
                pytest.fail("a peer should not be waited for when it sends 50 bytes per second")
            if association is not None:
                association.kill()
            client.close()
        told.closed()


def test_four_senders_at_once(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        results: list[list[int]] = []

        def work(number: int) -> None:
            objects = [make_object(f"1.2.{number}.{index}", f"1.2.{number % 2}") for index in range(10)]
            results.append(send(receiver.port, *objects))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told.closed(4)
    assert results == [[0x0000] * 10] * 4
    assert len(files(tmp_path)) == 40


# ports


def test_several_receivers_share_one_port(tmp_path: Path) -> None:
    with (
        receiving(tmp_path / "1", receivers=2) as (first, told),
        receiving(tmp_path / "2", receivers=2, port=first.port) as (second, also_told),
    ):
        assert first.port == second.port
        for number in range(20):
            assert send(first.port, make_object(f"1.2.3.{number}")) == [0x0000]
    assert len(told.instances) + len(also_told.instances) == 20


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with (
        receiving(tmp_path) as (receiver, _),
        pytest.raises(SettingsError, match="in use"),
        receiving(tmp_path, port=receiver.port),
    ):
        pass


def test_stopping_waits_for_what_is_under_way(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        started = threading.Event()

        def slow(instance: StoredInstance) -> None:
            started.set()
            time.sleep(0.3)
            told.instances.append(instance)

        told.on_stored = slow
        statuses: list[int] = []
        sender = threading.Thread(target=lambda: statuses.extend(send(receiver.port, make_object())))
        sender.start()
        started.wait(10)
        receiver.stop()
        sender.join(10)
    assert statuses == [0x0000]
    assert receiver.port == 0


# storage commitment


def commit(port: int, told: Told, *, roles: bool) -> int:
    information = Dataset()
    information.TransactionUID = "2.25.5"
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = "1.2.3.1"
    information.ReferencedSOPSequence = [item]
    entity = Requestor("SCANNER")
    entity.add_requested_context(StorageCommitmentPushModel)
    negotiation = [build_role(StorageCommitmentPushModel, scp_role=True)] if roles else []
    association = entity.associate("127.0.0.1", port, ae_title="QAGATE", ext_neg=negotiation)  # type: ignore[arg-type]
    assert association.is_established
    if not roles:  # some archives forget to negotiate their role
        association.accepted_contexts[0]._as_scp = True
    status, _ = association.send_n_event_report(information, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
    association.release()
    return int(status.Status)


@pytest.mark.parametrize("roles", [True, False])
def test_commitment_results_are_passed_on(tmp_path: Path, roles: bool) -> None:
    with receiving(tmp_path) as (receiver, told):
        assert commit(receiver.port, told, roles=roles) == 0x0000
        ((information, peer),) = told.commitments
    assert information.TransactionUID == "2.25.5"
    assert peer == "SCANNER"


def test_commitment_results_that_cannot_be_recorded_are_refused(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, told):
        receiver._services._promised = lambda *arguments: (_ for _ in ()).throw(StoreError("down"))
        assert commit(receiver.port, told, roles=True) == 0x0110
        receiver._services._promised = None
        assert commit(receiver.port, told, roles=True) == 0x0211


def test_the_wall_clock_may_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(tmp_path) as (receiver, told):
        association = associate(receiver.port, CTImageStorage)
        association.network_timeout = None  # this end of it keeps time by the wall
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600)
        time.sleep(0.2)
        monkeypatch.setattr(time, "time", real)
        assert [event.opened for event in told.events] == [True]
        association.abort()


def test_a_rejected_association_is_told_once_a_minute(tmp_path):
    told = []
    node = Node(host="127.0.0.1", peers=(Peer(ae_title="SCANNER"),)).model_copy(update={"port": 0})
    with Receiver(node, Spool(tmp_path, 0), lambda i: None, lambda e: None, on_refused=told.append) as receiver:
        for _ in range(3):
            assert associate(receiver.port, "1.2.840.10008.1.1", calling="EVIL").is_rejected
    (words,) = told
    assert words.startswith("EVIL at 127.0.0.1: unknown")
