"""One association as its acceptor, on top of pynetdicom's.

Three things differ from pynetdicom's own: every C-STORE is served whatever its SOP class, the end of an association is
told exactly once, and sockets are read in large pieces.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pynetdicom import AE
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import AddressInformation, AssociationSocket, RequestHandler, ThreadedAssociationServer

logger = logging.getLogger(__name__)

_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class AssociationEvent:
    """An association was opened, or it ended (`opened` False): released, or aborted by whatever (`aborted` True).

    `id` is ours, unique for ever. `at` is UTC.
    """

    id: str
    calling_ae_title: str
    called_ae_title: str
    host: str
    opened: bool
    at: datetime
    aborted: bool = False


def contexts_for(requested: list[Any], served: dict[str, PresentationContext]) -> list[PresentationContext]:
    """Return the presentation contexts to support for this request, one for each abstract syntax in it.

    `served` holds the services that are not storage, by SOP class; what it does not name is taken as storage, with the
    transfer syntaxes that the peer proposes: its first one, but explicit VR before the encodings that lose the VR or
    turn the bytes. Storing is all that happens to it, so nothing has to be known about it. Source: PS3.8 9.3.2.2.
    """
    supported: dict[str, PresentationContext] = {}
    for proposal in requested:
        abstract_syntax = str(proposal.abstract_syntax)
        if abstract_syntax in served:
            supported[abstract_syntax] = served[abstract_syntax]
            continue
        proposed = [str(uid) for uid in proposal.transfer_syntax]
        if not proposed:
            continue
        chosen = proposed[0]
        if chosen in (_IMPLICIT_LITTLE_ENDIAN, _EXPLICIT_BIG_ENDIAN) and _EXPLICIT_LITTLE_ENDIAN in proposed:
            chosen = _EXPLICIT_LITTLE_ENDIAN
        context = supported.get(abstract_syntax)
        if context is None:
            context = supported[abstract_syntax] = PresentationContext()
            context.abstract_syntax = abstract_syntax
            context.scu_role = True
            context.scp_role = True
        if chosen not in context.transfer_syntax:
            context.add_transfer_syntax(chosen)
    return list(supported.values())


class AcceptedAssociation(Association):
    """An association that a peer requested of us."""

    def __init__(self, ae: Any, on_end: Callable[[AcceptedAssociation], None]) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._on_end = on_end
        self.daemon = True
        self.dul.daemon = True

    def run_reactor(self) -> None:
        """Run until the association is over, then say so, whatever ended it."""
        try:
            super().run_reactor()
        finally:
            self._on_end(self)

    def _serve_request(self, msg: Any, context_id: int) -> None:
        context = self._accepted_cx.get(context_id)
        if isinstance(msg, C_STORE) and msg.is_valid_request and context is not None and not self._sent_release:
            # pynetdicom looks the service up by SOP class and aborts on one that it does not know
            self._is_paused = True
            StorageServiceClass(self).SCP(msg, context)
            self._is_paused = False
        else:
            super()._serve_request(msg, context_id)


class AcceptedSocket(AssociationSocket):
    """The socket of an accepted association."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes`, or fewer when the peer has closed the connection."""
        received = bytearray()
        connection = self.socket
        if connection is None:
            return received
        while len(received) < nr_bytes:
            piece = connection.recv(min(nr_bytes - len(received), _READ_BYTES))
            if not piece:
                break
            received += piece
        return received


class AssociationHandler(RequestHandler):
    """Makes an association out of an accepted connection."""

    def _create_association(self) -> AcceptedAssociation:
        server = cast(AssociationServer, self.server)
        association = AcceptedAssociation(self.ae, server.on_end)
        association._server = server
        association.name = f"AcceptorThread-{self.client_address[0]}:{self.client_address[1]}"
        association.set_socket(AcceptedSocket(association, client_socket=self.request))
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
        on_end: Callable[[AcceptedAssociation], None],
        share_port: bool,
    ) -> None:
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
