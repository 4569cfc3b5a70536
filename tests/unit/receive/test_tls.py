from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from qagate.deliver.peer import Requestor
from qagate.errors import SettingsError
from qagate.settings import NodeTls
from tests.unit.certificates import Authority, Pair
from tests.unit.receive.scanner import associate, make_object, receiving, silent_clients


def node_tls(authority: Authority, **more: Any) -> NodeTls:
    own = authority.issue("node")
    return NodeTls(certificate_file=own.certificate_file, key_file=own.key_file, **{"ca_file": authority.file, **more})


def client(authority: Authority, own: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    if own is not None:
        context.load_cert_chain(own.certificate_file, own.key_file)
    return context


def associate_with_tls(port: int, context: ssl.SSLContext) -> Association:
    entity = Requestor("SCANNER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = 10
    contexts = [build_context(Verification), build_context(CTImageStorage)]
    return entity.associate("127.0.0.1", port, contexts, ae_title="QAGATE", tls_args=(context, "127.0.0.1"))


def echo_and_store(port: int, context: ssl.SSLContext, **more: Any) -> list[int]:
    association = associate_with_tls(port, context)
    assert association.is_established
    statuses = [association.send_c_echo().Status, association.send_c_store(make_object(**more)).Status]
    association.release()
    return [int(status) for status in statuses]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_objects_come_in_over_mutual_tls(tmp_path: Path, authority: Authority, version: ssl.TLSVersion) -> None:
    context = client(authority, authority.issue("scanner"))
    context.minimum_version = context.maximum_version = version
    with receiving(tmp_path, tls=node_tls(authority)) as (receiver, told):
        # more than one TLS record for each PDU, and more than one PDU
        assert echo_and_store(receiver.port, context, PixelData=bytes(1_000_000), BitsAllocated=8) == [0, 0]
        (closed,) = told.closed()
        assert not closed.aborted
    assert told.instances[0].size_bytes > 1_000_000


@pytest.mark.parametrize(("more", "taken"), [({}, False), ({"require_client_certificate": False}, True)])
def test_a_peer_without_a_certificate(
    tmp_path: Path, authority: Authority, more: dict[str, Any], taken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(tmp_path, tls=node_tls(authority, **more)) as (receiver, told):
        association = associate_with_tls(receiver.port, client(authority))
        assert association.is_established is taken
        association.release() if taken else association.kill()
    assert bool(told.events) is taken
    assert ("peer did not return a certificate" in caplog.text) is not taken


def test_a_certificate_that_others_issued_is_refused(
    tmp_path: Path, authority: Authority, stranger: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(tmp_path, tls=node_tls(authority)) as (receiver, told):
        association = associate_with_tls(receiver.port, client(authority, stranger.issue("mallory")))
        assert not association.is_established
        association.kill()
    assert told.events == []
    assert "127.0.0.1 refused: TLS was not agreed on, got unable to get local issuer certificate" in caplog.text


def test_without_authorities_no_certificate_is_asked_for(tmp_path: Path, authority: Authority) -> None:
    with receiving(tmp_path, tls=node_tls(authority, ca_file=None)) as (receiver, _):
        assert echo_and_store(receiver.port, client(authority)) == [0, 0]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_old_versions_are_refused(tmp_path: Path, authority: Authority, version: ssl.TLSVersion) -> None:
    context = client(authority, authority.issue("scanner"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    old = version == ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1") if old else contextlib.nullcontext():
        context.minimum_version = version
        context.maximum_version = version
    with (
        receiving(tmp_path, tls=node_tls(authority, minimum_version="1.2" if old else "1.3")) as (receiver, _),
        socket.create_connection(("127.0.0.1", receiver.port), 10) as connection,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(connection, server_hostname="127.0.0.1")


def test_plain_peers_are_refused_and_harm_nobody(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(tmp_path, tls=node_tls(authority)) as (receiver, told):
        for _ in range(3):
            association = associate(receiver.port, Verification, timeout_seconds=5)
            assert not association.is_established
            association.kill()
        assert told.events == []
        assert echo_and_store(receiver.port, client(authority, authority.issue("scanner"))) == [0, 0]
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("qagate") and r.levelno >= logging.WARNING]
    assert lines == ["receive: connection from 127.0.0.1 refused: TLS was not agreed on, got something that is not TLS"]


def first_flight(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1").do_handshake()
    return outgoing.read()


def test_silent_clients_are_in_nobodys_way(tmp_path: Path, authority: Authority) -> None:
    context = client(authority, authority.issue("scanner"))
    with receiving(tmp_path, tls=node_tls(authority), max_associations=3) as (receiver, told):
        with contextlib.ExitStack() as clients:
            for each in silent_clients(receiver.port, 40):
                clients.enter_context(each)
            # one that agrees on TLS and then says nothing, one that stops in the middle of it
            plain = socket.create_connection(("127.0.0.1", receiver.port), 10)
            clients.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            half = clients.enter_context(socket.create_connection(("127.0.0.1", receiver.port), 10))
            half.sendall(first_flight(context))
            assert echo_and_store(receiver.port, context) == [0, 0]
            told.closed()
        receiver.stop()


def test_who_is_silent_in_the_handshake_is_shown_out(tmp_path: Path, authority: Authority) -> None:
    with receiving(tmp_path, tls=node_tls(authority), acse_timeout_seconds=0.3) as (receiver, _):
        (silent,) = silent_clients(receiver.port, 1)
        assert silent.recv(100) == b""
        silent.close()


def test_stopping_does_not_wait_for_handshakes(tmp_path: Path, authority: Authority) -> None:
    def threads() -> int:
        return sum(thread.is_alive() for thread in threading.enumerate())

    before = threads()
    with receiving(tmp_path, tls=node_tls(authority), acse_timeout_seconds=3600) as (receiver, _):
        silent = silent_clients(receiver.port, 5)
        while threads() < before + 6:
            time.sleep(0.01)
        receiver.stop()
        end = time.monotonic() + 10
        while threads() > before and time.monotonic() < end:
            time.sleep(0.01)
        assert threads() == before
        for each in silent:
            each.close()


def test_files_that_cannot_be_used_are_named(tmp_path: Path, authority: Authority) -> None:
    own, other = authority.issue("own"), authority.issue("other")
    nothing = tmp_path / "nothing.pem"
    empty = tmp_path / "empty.pem"
    empty.write_text("hello\n")
    locked = tmp_path / "locked.key"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")
    good = {"certificate_file": own.certificate_file, "key_file": own.key_file, "ca_file": authority.file}
    cases: list[tuple[dict[str, Path], str]] = [
        (
            {"certificate_file": nothing},
            f"node.tls.certificate_file must be .* got No such file or directory: {nothing}",
        ),
        ({"certificate_file": empty}, f"node.tls.certificate_file must hold a PEM certificate, got none: {empty}"),
        ({"key_file": nothing}, f"node.tls.key_file must be .* got No such file or directory: {nothing}"),
        ({"key_file": other.key_file}, f"got one that belongs to another certificate: {other.key_file}"),
        ({"key_file": empty}, f"must be the unencrypted PEM key of {own.certificate_file}, got none: {empty}"),
        ({"key_file": locked}, f"must be the unencrypted PEM key .*, got one with a pass phrase: {locked}"),
        ({"ca_file": nothing}, f"node.tls.ca_file must be .* got No such file or directory: {nothing}"),
        ({"ca_file": empty}, f"node.tls.ca_file must hold PEM certificates, got .*: {empty}"),
    ]
    for wrong, says in cases:
        with (
            pytest.raises(SettingsError, match=says) as caught,
            receiving(tmp_path / "spool", tls=NodeTls(**{**good, **wrong})),
        ):
            pass
        assert "\n" not in str(caught.value)
