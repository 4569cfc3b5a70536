"""Sockets of the receiver: listening, accepting, reading."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pynetdicom import AE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket, RequestHandler, ThreadedAssociationServer

from qagate.errors import SpoolError, TooLarge
from qagate.receive.association import AcceptedAssociation
from qagate.receive.connections import Connections
from qagate.receive.farewell import Farewells
from qagate.receive.incoming import Incoming
from qagate.receive.provider import StoreRequest
from qagate.receive.waking import IDLE_SECONDS, Bell
from qagate.tls import words

logger = logging.getLogger(__name__)

_READ_BYTES = 1 << 18
_MIN_PDU_LIMIT_BYTES = 1 << 20  # an association request can be longer than the PDUs that are agreed on by it
_UNLIMITED_PDU_BYTES = 1 << 28
_FOR_EVER_SECONDS = 86_400.0


class AcceptedSocket(AssociationSocket):
    """The socket of an accepted association; refuses PDUs far beyond what was agreed."""

    def __init__(self, association: AcceptedAssociation, connection: socket.socket, max_pdu_bytes: int) -> None:
        super().__init__(association, client_socket=connection)
        self._limit_bytes = max(max_pdu_bytes, _MIN_PDU_LIMIT_BYTES) if max_pdu_bytes else _UNLIMITED_PDU_BYTES
        self._ahead = b""
        self.bell = Bell()
        self._poll = select.poll()  # select() cannot watch descriptors above 1023
        self._poll.register(connection, select.POLLIN)
        self._poll.register(self.bell, select.POLLIN)
        self._descriptor = connection.fileno()

    @property
    def ready(self) -> bool:
        """Whether there is something to read, waiting for it until the bell rings, a moment at most."""
        if self.socket is None or not self._is_connected:
            return False
        try:
            if self._ahead or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
                return True  # decrypted already, nothing more need come
            there = self._poll.poll(IDLE_SECONDS * 1000)
            if any(descriptor != self._descriptor for descriptor, _ in there):
                self.bell.hush()
            return any(descriptor == self._descriptor for descriptor, _ in there)
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def unread(self, start: bytes) -> None:
        """Take back what was read; the next `recv` begins with it and wants no less."""
        self._ahead = start

    def close(self) -> None:
        """Close; what the peer has sent meanwhile is read first, else it would lose our last words with a reset."""
        if self.socket is not None and self._is_connected:
            with contextlib.suppress(OSError):
                self.socket.settimeout(0)
                for _ in range(16):
                    if not self.socket.recv(_READ_BYTES):
                        break
            if isinstance(self.socket, ssl.SSLSocket) and threading.current_thread() is self.assoc.dul:
                with contextlib.suppress(OSError, ValueError):
                    self.socket.unwrap()  # says goodbye, and does not wait for the answer
        super().close()

    def _shutdown_socket(self) -> None:
        if self.socket is not None:
            with contextlib.suppress(OSError):  # the peer may be gone; the descriptor is ours all the same
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()
        self.bell.close()

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes`, or fewer when the peer has closed the connection.

        Raises OSError, also when a peer that has begun a PDU does not end it in time, however it spreads its bytes.
        """
        received, self._ahead = bytearray(self._ahead), b""
        connection = self.socket
        if connection is None:
            return received
        if nr_bytes > self._limit_bytes:
            raise ConnectionAbortedError(f"a PDU must have at most {self._limit_bytes} bytes, got {nr_bytes}")
        association = self.assoc
        limits = [association.acse_timeout]
        if association.is_established:
            limits = [association.network_timeout, association.dimse_timeout]
        end = time.monotonic() + min((limit for limit in limits if limit is not None), default=_FOR_EVER_SECONDS)
        while len(received) < nr_bytes:
            connection.settimeout(max(end - time.monotonic(), 0.001))
            piece = connection.recv(min(nr_bytes - len(received), _READ_BYTES))
            if not piece:
                break
            received += piece
        return received


@dataclass(frozen=True, slots=True)
class Service:
    """What a server is told to do with its connections and associations.

    `on_lost` is asked for the status of an object that could not be kept while it came in. `warn` gets a key, equal
    for lines that say the same, and the line.
    """

    on_c_store: Callable[[AcceptedAssociation, StoreRequest], int]
    on_lost: Callable[[AcceptedAssociation, SpoolError | TooLarge], int]
    on_end: Callable[[AcceptedAssociation], None]
    incoming: Callable[[], Incoming]
    warn: Callable[[tuple[str, ...], str], object]


class AssociationHandler(RequestHandler):
    """Makes an association out of an accepted connection; runs in a thread of the connection's own."""

    def handle(self) -> None:
        """Agree on TLS if it is wanted, then start the association."""
        server = cast(AssociationServer, self.server)
        started = False
        try:
            if server.tls is not None:
                connection = self._secured(self.request, server.tls)
                if connection is None:
                    return
                self.request = connection
            super().handle()
            started = True
            if server.closed:
                server.end_waiting()
        finally:
            if not started:
                server.connections.leave(self.client_address[0])

    def _secured(self, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket | None:
        server = cast(AssociationServer, self.server)
        host = self.client_address[0]
        connection: ssl.SSLSocket | None = None
        patience = self.ae.acse_timeout
        try:
            connection = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            # one limit for all of the handshake, however slowly it goes on
            connection.settimeout(None if patience is None else max(patience, 0.001))
            with server.shaking_hands(connection):
                connection.do_handshake()
            connection.settimeout(self.ae.network_timeout)
            return connection
        except (OSError, ValueError) as error:
            if not isinstance(error, ssl.SSLEOFError | ConnectionError):  # who goes away at once wants nothing
                server.service.warn(
                    ("tls", host, words(error)),
                    f"receive: connection from {host} refused: TLS was not agreed on, got {words(error)}",
                )
            for each in (connection, plain):
                if each is not None:
                    with contextlib.suppress(OSError):
                        each.close()
            return None

    def _create_association(self) -> AcceptedAssociation:
        server = cast(AssociationServer, self.server)
        service, host = server.service, self.client_address[0]

        def ended(association: AcceptedAssociation) -> None:
            server.connections.leave(host)
            service.on_end(association)

        association = AcceptedAssociation(self.ae, service.on_c_store, service.on_lost, ended, service.incoming())
        association._server = server
        association.name = f"AcceptorThread-{host}:{self.client_address[1]}"
        association.set_socket(AcceptedSocket(association, self.request, self.ae.maximum_pdu_size))
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        association.requestor.address_info = AddressInformation.from_tuple(self.client_address)
        for event, bound in server._handlers.items():
            # one handler for an intervention, a list of them for a notification
            for handler, arguments in bound if isinstance(bound, list) else [bound]:
                association.bind(event, handler, arguments)
        return association


class AssociationServer(ThreadedAssociationServer):
    """Listens, and gives each connection threads of its own.

    With `tls` every connection must begin with a handshake; it takes place in the connection's thread, so that a peer
    that is silent in it is in nobody's way.
    """

    daemon_threads = True
    request_queue_size = 128  # a burst of connections must not be answered with resets

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        handlers: list[Any],
        service: Service,
        *,
        connections: Connections,
        tls: ssl.SSLContext | None,
        share_port: bool,
    ) -> None:
        self.service = service
        self.connections = connections
        self.tls = tls
        self._share_port = share_port
        self._shaking_hands: set[ssl.SSLSocket] = set()
        self._farewells = Farewells(tls=tls is not None)
        self.closed = False
        super().__init__(ae, address, ae.ae_title, contexts, evt_handlers=handlers, request_handler=AssociationHandler)
        ae._servers.append(self)  # shutdown() takes it off again

    def server_bind(self) -> None:
        """Bind; with `share_port` several processes may listen on the one port and the kernel spreads connections."""
        if self._share_port and self.socket is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection."""
        connection, address = super().get_request()
        # responses are small: without this each of them may wait for the peer's delayed acknowledgement
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self.ae.network_timeout is not None:
            connection.settimeout(self.ae.network_timeout)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a thread of its own, unless there are too many."""
        host = client_address[0]
        limit = self.connections.enter(host)
        if limit:
            self.service.warn(("connections", host), f"receive: connection from {host} refused: {limit}")
            self._farewells.add(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self.connections.leave(host)
            raise

    def service_actions(self) -> None:
        """Do what is due between two connections."""
        super().service_actions()
        self._farewells.say()

    @contextlib.contextmanager
    def shaking_hands(self, connection: ssl.SSLSocket) -> Any:
        """Remember a connection while its handshake lasts. Raises ConnectionAbortedError when we do not listen."""
        self._shaking_hands.add(connection)
        try:
            if self.closed:
                raise ConnectionAbortedError("the server has stopped")
            yield
        finally:
            self._shaking_hands.discard(connection)

    def server_close(self) -> None:
        """Stop listening, and let nobody wait who has no association yet."""
        super().server_close()
        self.closed = True
        self._farewells.say(everybody=True)
        for connection in tuple(self._shaking_hands):
            with contextlib.suppress(OSError):
                # not its own shutdown(), which would take the handshake's ground from under it
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.end_waiting()

    def end_waiting(self) -> None:
        """End the connections whose peers have not asked for an association, as if their time were over."""
        for association in self.active_associations:
            if association.requestor.primitive is None:
                cast(Any, association.dul.to_user_queue).put(None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong with one connection; the others go on."""
        logger.exception("receive: connection from %s could not be served", client_address[0])
