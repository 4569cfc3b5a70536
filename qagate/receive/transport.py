"""Sockets of the receiver: listening, accepting, reading."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import time
from collections.abc import Callable
from typing import Any, cast

from pynetdicom import AE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket, RequestHandler, ThreadedAssociationServer

from qagate.receive.association import AcceptedAssociation
from qagate.receive.provider import StoreRequest

logger = logging.getLogger(__name__)

_READ_BYTES = 1 << 18
_MIN_PDU_LIMIT_BYTES = 1 << 20  # an association request can be longer than the PDUs that are agreed on by it
_UNLIMITED_PDU_BYTES = 1 << 28
_WAIT_SECONDS = 0.001
_FOR_EVER_SECONDS = 86_400.0


class AcceptedSocket(AssociationSocket):
    """The socket of an accepted association; refuses PDUs far beyond what was agreed."""

    def __init__(self, association: AcceptedAssociation, connection: socket.socket, max_pdu_bytes: int) -> None:
        super().__init__(association, client_socket=connection)
        self._limit_bytes = max(max_pdu_bytes, _MIN_PDU_LIMIT_BYTES) if max_pdu_bytes else _UNLIMITED_PDU_BYTES
        self._poll = select.poll()  # select() cannot watch descriptors above 1023
        self._poll.register(connection, select.POLLIN)

    @property
    def ready(self) -> bool:
        """Whether there is something to read, waiting a moment for it."""
        if self.socket is None or not self._is_connected:
            return False
        try:
            return bool(self._poll.poll(_WAIT_SECONDS * 1000))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def close(self) -> None:
        """Close; what the peer has sent meanwhile is read first, else it would lose our last words with a reset."""
        if self.socket is not None and self._is_connected:
            with contextlib.suppress(OSError):
                self.socket.settimeout(0)
                for _ in range(16):
                    if not self.socket.recv(_READ_BYTES):
                        break
        super().close()

    def _shutdown_socket(self) -> None:
        if self.socket is not None:
            with contextlib.suppress(OSError):  # the peer may be gone; the descriptor is ours all the same
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes`, or fewer when the peer has closed the connection.

        Raises OSError, also when a peer that has begun a PDU does not end it in time, however it spreads its bytes.
        """
        received = bytearray()
        connection = self.socket
        if connection is None:
            return received
        if nr_bytes > self._limit_bytes:
            raise ConnectionAbortedError(f"a PDU must have at most {self._limit_bytes} bytes, got {nr_bytes}")
        patience = self.assoc.network_timeout if self.assoc.is_established else self.assoc.acse_timeout
        end = time.monotonic() + (patience if patience is not None else _FOR_EVER_SECONDS)
        while len(received) < nr_bytes:
            connection.settimeout(max(end - time.monotonic(), 0.001))
            piece = connection.recv(min(nr_bytes - len(received), _READ_BYTES))
            if not piece:
                break
            received += piece
        return received


class AssociationHandler(RequestHandler):
    """Makes an association out of an accepted connection."""

    def _create_association(self) -> AcceptedAssociation:
        server = cast(AssociationServer, self.server)
        association = AcceptedAssociation(self.ae, server.on_c_store, server.on_end)
        association._server = server
        association.name = f"AcceptorThread-{self.client_address[0]}:{self.client_address[1]}"
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
    """Listens, and gives each connection threads of its own."""

    daemon_threads = True
    request_queue_size = 128  # a burst of connections must not be answered with resets

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        handlers: list[Any],
        *,
        on_c_store: Callable[[AcceptedAssociation, StoreRequest], int],
        on_end: Callable[[AcceptedAssociation], None],
        share_port: bool,
    ) -> None:
        self.on_c_store = on_c_store
        self.on_end = on_end
        self._share_port = share_port
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

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong with one connection; the others go on."""
        logger.exception("receive: connection from %s could not be served", client_address[0])
