from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from qagate.deliver.certificate import certificate_expiry
from qagate.deliver.destination import deliver, echo
from qagate.errors import AssociationRejected, DeliveryError, SettingsError, Unreachable
from qagate.settings import Destination, DestinationTls, NodeTls, Settings
from qagate.work.preflight import _destination, _tls
from tests.unit.certificates import Authority, Pair
from tests.unit.deliver.archive import make_document
from tests.unit.receive.scanner import receiving

TO = {"name": "pacs", "ae_title": "QAGATE", "host": "127.0.0.1", "timeout_seconds": 5}


@contextmanager
def archiving(folder: Path, own: Pair, ca_file: Path | None) -> Iterator[tuple[int, list[str]]]:
    """Run a receiver of our own as the archive: its port and what it got."""
    node = NodeTls(certificate_file=own.certificate_file, key_file=own.key_file, ca_file=ca_file)
    with receiving(folder, tls=node) as (receiver, told):
        got: list[str] = []
        told.on_stored = lambda instance: got.append(instance.sop_instance_uid)
        yield receiver.port, got


@contextmanager
def web(own: Pair, ca_file: Path | None = None) -> Iterator[int]:
    """Run an https server that answers every search."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None:
            pass

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True), address

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate_file, own.key_file)
    if ca_file is not None:
        context.load_verify_locations(ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def trusting(authority: Authority, own: Pair | None = None, **more: Any) -> DestinationTls:
    files = {} if own is None else {"certificate_file": own.certificate_file, "key_file": own.key_file}
    return DestinationTls(**{"ca_file": authority.file, **files, **more})


def test_documents_go_out_over_mutual_tls(tmp_path: Path, authority: Authority) -> None:
    own = authority.issue("qagate")
    with archiving(tmp_path / "pacs", authority.issue("pacs"), authority.file) as (port, got):
        to = Destination(**TO, port=port, tls=trusting(authority, own))
        receipts = deliver([(make_document(tmp_path, "1.1"),)], to, calling_ae_title="SCANNER")
        assert echo(to, "SCANNER") > 0
        end = certificate_expiry(to)
    assert [receipt.status for receipt in receipts] == ["stored"]
    assert got == ["1.1"]
    assert end is not None
    assert timedelta(days=19) < end - datetime.now(UTC) < timedelta(days=21)


def _expired(authority: Authority, stranger: Authority) -> Pair:
    return authority.issue("expired", days=-1)


def _untrusted(authority: Authority, stranger: Authority) -> Pair:
    return stranger.issue("pacs")


def _misnamed(authority: Authority, stranger: Authority) -> Pair:
    return authority.issue("misnamed", alternative="DNS:pacs.example")


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (_expired, "certificate has expired"),
        (_untrusted, "unable to get local issuer certificate"),
        (_misnamed, "certificate is not valid for '127.0.0.1'"),
    ],
)
@pytest.mark.parametrize("kind", ["dimse", "stow"])
def test_a_destination_that_is_not_who_it_should_be_is_named(
    tmp_path: Path,
    authority: Authority,
    stranger: Authority,
    shown: Callable[[Authority, Authority], Pair],
    says: str,
    kind: str,
) -> None:
    pair = shown(authority, stranger)
    tls = trusting(authority)
    if kind == "stow":
        with web(pair) as port:
            to = Destination(name="pacs", kind="stow", url=f"https://127.0.0.1:{port}/x", tls=tls, timeout_seconds=5)
            _refuses(to, says)
    else:
        with archiving(tmp_path, pair, None) as (port, got):
            _refuses(Destination(**TO, port=port, tls=tls), says)
        assert got == []


def _refuses(to: Destination, says: str) -> None:
    for act in (lambda: echo(to, "SCANNER"), lambda: certificate_expiry(to)):
        with pytest.raises(
            AssociationRejected, match=f"destination pacs .*cannot agree on TLS, got .*{says}"
        ) as caught:
            act()
        assert caught.value.retryable


@pytest.mark.parametrize("kind", ["dimse", "stow"])
@pytest.mark.parametrize("more", [{"server_name": "pacs.example"}, {"check_name": False}])
def test_a_certificate_for_another_name_can_be_expected(
    tmp_path: Path, authority: Authority, stranger: Authority, more: dict[str, Any], kind: str
) -> None:
    pair = _misnamed(authority, stranger)
    tls = trusting(authority, **more)
    if kind == "stow":
        with web(pair) as port:
            to = Destination(name="pacs", kind="stow", url=f"https://127.0.0.1:{port}/x", tls=tls, timeout_seconds=5)
            assert echo(to, "QAGATE") > 0
    else:
        with archiving(tmp_path, pair, None) as (port, _):
            assert echo(Destination(**TO, port=port, tls=tls), "SCANNER") > 0


def test_a_destination_that_wants_our_certificate(tmp_path: Path, authority: Authority) -> None:
    own = authority.issue("qagate")
    with (
        archiving(tmp_path, authority.issue("pacs"), authority.file) as (port, _),
        pytest.raises(DeliveryError, match=r"certificate required|a lost connection"),
    ):
        echo(Destination(**TO, port=port, tls=trusting(authority)), "SCANNER")
    with web(authority.issue("pacs"), authority.file) as port:
        to = Destination(name="pacs", kind="stow", url=f"https://127.0.0.1:{port}", tls=trusting(authority, own))
        assert echo(to, "QAGATE") > 0
        with pytest.raises(DeliveryError):
            echo(to.model_copy(update={"tls": trusting(authority)}), "QAGATE")


def test_a_destination_that_does_not_speak_tls(tmp_path: Path, authority: Authority) -> None:
    with (
        receiving(tmp_path, acse_timeout_seconds=1) as (receiver, _),
        pytest.raises(DeliveryError, match=r"destination pacs \(QAGATE at 127.0.0.1:"),
    ):
        echo(Destination(**TO, port=receiver.port, tls=trusting(authority)), "SCANNER")


def test_a_destination_that_is_silent_in_the_handshake(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = Destination(**{**TO, "timeout_seconds": 0.3}, port=silent.getsockname()[1], tls=trusting(authority))
        for act in (lambda: echo(to, "SCANNER"), lambda: certificate_expiry(to)):
            with pytest.raises(Unreachable):
                act()


def test_files_that_cannot_be_used_are_named_and_tried_again(tmp_path: Path, authority: Authority) -> None:
    nothing = tmp_path / "nothing.pem"
    to = Destination(**TO, port=1, tls=DestinationTls(ca_file=nothing))
    says = f"destinations.pacs.tls.ca_file must be a file that we may read, got No such file or directory: {nothing}"
    with pytest.raises(Unreachable, match=says):
        echo(to, "SCANNER")
    with pytest.raises(SettingsError, match=says):
        certificate_expiry(to)
    web_to = Destination(name="pacs", kind="stow", url="https://127.0.0.1:1", tls=DestinationTls(ca_file=nothing))
    with pytest.raises(Unreachable, match=says):
        echo(web_to, "SCANNER")


def test_the_preflight_tells_how_long_certificates_are_valid(tmp_path: Path, authority: Authority) -> None:
    own, old = authority.issue("qagate", days=100), authority.issue("old", days=-1)
    with archiving(tmp_path, authority.issue("pacs"), authority.file) as (port, _):
        settings = Settings.model_validate(
            {
                "node": {
                    "ae_title": "SCANNER",
                    "tls": {"certificate_file": own.certificate_file, "key_file": own.key_file},
                },
                "destinations": [{**TO, "port": port, "tls": trusting(authority, own)}],
            }
        )
        items = [*_tls(settings), *_destination(settings, settings.destinations[0])]
    words = {item.detail.rpartition(",")[0]: item.state for item in items if "expire" in item.detail}
    assert words == {
        f"our certificate, {own.certificate_file}, expires in 100 days": "good",
        f"our certificate for pacs, {own.certificate_file}, expires in 100 days": "good",
        "its certificate expires in 20 days": "warning",
    }
    node = NodeTls(certificate_file=old.certificate_file, key_file=old.key_file)
    peers = [{"ae_title": "CT1", "port": 104}, {"ae_title": "CT2", "port": 104, "tls": {"ca_file": authority.file}}]
    (_, item, clear) = _tls(Settings.model_validate({"node": {"tls": node, "peers": peers}}))
    assert (item.state, "expired 1 days ago" in item.detail) == ("bad", True)
    assert (clear.state, clear.detail.partition(" ")[0]) == ("warning", "CT1")
