"""An association with a destination; the one file that knows how pynetdicom says that one has failed.

Source: PS3.7 9.3.1, PS3.8 9.3.4 and 9.3.8.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

from qagate.deliver.checkpoint import Checkpoint
from qagate.deliver.outgoing import MAX_PDU_BYTES, Messages
from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from qagate.domain.status import SUCCESS
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, SettingsError, Unreachable
from qagate.settings import Destination
from qagate.tls import client_context, words

logger = logging.getLogger(__name__)

_config.STORE_SEND_CHUNKED_DATASET = True  # what is given as a path is not read and written anew


class Requestor(AE):
    """An application entity that loses no answer, sends at its peer's pace and closes its sockets.

    pynetdicom's own leaves a socket open whenever the peer went first; about answers see Checkpoint, about
    the pace Messages.
    """

    connection: RequestorSocket | None = None

    def _create_socket(self, assoc: Association, address: Any, tls_args: Any) -> AssociationSocket:
        assoc._reactor_checkpoint = Checkpoint(assoc)
        assoc.dimse = Messages(assoc)
        self.connection = RequestorSocket(assoc, address=address)
        self.connection.tls_args = tls_args
        return self.connection


class RequestorSocket(AssociationSocket):
    """The socket of an association that we request; `trouble` is why it could not be opened, or read."""

    trouble: OSError | None = None

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect, and agree on TLS if it is wanted; the time limit is for both."""
        connection = cast(socket.socket, self.socket)
        patience = self.assoc.connection_timeout
        end = time.monotonic() + (patience or 0)
        try:
            connection.settimeout(patience)
            connection.connect(primitive.address_info.as_tuple)
            with contextlib.suppress(OSError):
                # dcmtk-based peers answer some 40 ms later without it
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls_args:
                context, name = self.tls_args
                secured = context.wrap_socket(connection, server_hostname=name, do_handshake_on_connect=False)
                self.socket = connection = secured
                secured.settimeout(None if patience is None else max(end - time.monotonic(), 0.001))
                secured.do_handshake()
            # for each PDU: the thread that sends must not wait for ever for a peer that takes nothing more
            connection.settimeout(patience)
            self.assoc.requestor.address_info = AddressInformation.from_tuple(connection.getsockname())
            self._is_connected = True
            evt.trigger(self.assoc, evt.EVT_CONN_OPEN, {"address": primitive.address_info.as_tuple})
            primitive.result = "Evt2"
        except OSError as error:
            self.trouble = error
            logger.debug("deliver: no connection to %s: %s", primitive.address, words(error))
            self._shutdown_socket()
            self.socket = None
            primitive.result = "Evt17"
        finally:
            self.provider_queue.put(primitive)
            self._ready.set()

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes`, or fewer when the peer has closed the connection. Raises OSError."""
        try:
            return super().recv(nr_bytes)
        except OSError as error:
            self.trouble = error  # with TLS 1.3 a peer says only here that it does not like our certificate
            raise

    def _shutdown_socket(self) -> None:
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


class Peer:
    """An association with a destination; a context manager.

    Entering raises Unreachable, AssociationRejected, or DeliveryRefused when the peer accepts none of the contexts.
    """

    def __init__(
        self,
        destination: Destination,
        calling_ae_title: str,
        contexts: list[PresentationContext],
        *,
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
        handlers: Sequence[Any] = (),
    ) -> None:
        self._destination = destination
        self._calling_ae_title = calling_ae_title
        self._contexts = contexts
        self._roles = list(roles)
        self._handlers = list(handlers)
        self._opened = False
        self._received: list[Any] = []
        self._association: Association | None = None
        self._entity: Requestor | None = None

    @property
    def name(self) -> str:
        """Name and address, for messages."""
        to = self._destination
        return f"destination {to.name} ({to.ae_title} at {to.host}:{to.port})"

    @property
    def association(self) -> Association:
        """The open association."""
        if self._association is None:
            raise RuntimeError("a Peer is used inside its with statement")
        return self._association

    def __enter__(self) -> Peer:
        """Connect and negotiate."""
        to = self._destination
        entity = self._entity = Requestor(self._calling_ae_title)
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.connection_timeout = to.timeout_seconds  # without it a dead host costs minutes
        entity.acse_timeout = to.timeout_seconds
        entity.dimse_timeout = to.timeout_seconds
        entity.network_timeout = to.timeout_seconds
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_ACSE_RECV, lambda event: self._received.append(event.primitive)),
            *self._handlers,
        ]
        try:
            association = entity.associate(
                str(to.host),
                int(to.port or 0),
                contexts=self._contexts,
                ae_title=str(to.ae_title),
                max_pdu=MAX_PDU_BYTES,
                ext_neg=list(self._roles),
                evt_handlers=handlers,
                tls_args=self._tls(),
            )
        except SettingsError as error:
            raise Unreachable(f"{self.name} cannot be reached: {error}") from None
        except OSError as error:
            raise Unreachable(f"{self.name} cannot be reached, got {error.strerror or error}") from None
        if not association.is_established:
            raise self._failure()
        self._association = association
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release, or abort when something went wrong inside."""
        association = self.association
        if association.is_established:
            if kind is None or issubclass(kind, DeliveryError):
                association.release()
            else:
                association.abort()
        self._association = None

    def accepts(self, sop_class_uid: str) -> bool:
        """Say whether the peer takes this SOP class with any of the proposed transfer syntaxes."""
        return bool(self.transfer_syntaxes(sop_class_uid))

    def transfer_syntaxes(self, sop_class_uid: str) -> tuple[str, ...]:
        """Return the transfer syntaxes that the peer accepted for this SOP class."""
        return tuple(
            str(context.transfer_syntax[0])
            for context in self.association.accepted_contexts
            if context.abstract_syntax == sop_class_uid
        )

    def send(self, what: Dataset | Path) -> int:
        """C-STORE one object and return the status. Raises DeliveryError when there is none.

        A file goes as its bytes stand on disk, in its own transfer syntax and no other.
        """
        try:
            return self._status(lambda: self.association.send_c_store(what))
        except (ValueError, AttributeError, TypeError, OverflowError) as error:
            raise DeliveryRefused(f"an object for {self.name} cannot be encoded, got {error}") from None

    def echo(self) -> None:
        """C-ECHO. Raises DeliveryError."""
        status = self._status(self.association.send_c_echo)
        if status != SUCCESS:
            raise DeliveryError(f"{self.name} must answer an echo with 0x0000, got 0x{status:04X}")

    def answer(self, request: Any) -> int:
        """Run any request that returns a status data set; return the status. Raises DeliveryError."""
        return self._status(request)

    def _status(self, request: Any) -> int:
        begun = time.monotonic()
        try:
            answer = request()
        except RuntimeError:  # not established any more
            answer = Dataset()
        if isinstance(answer, tuple):
            answer = answer[0]
        status = answer.get("Status")
        if status is not None:
            return int(status)
        waited = time.monotonic() - begun
        if waited >= self._destination.timeout_seconds * 0.9 and not self._aborts():
            raise Unreachable(f"{self.name} must answer within {self._destination.timeout_seconds} s, got no answer")
        raise AssociationRejected(f"{self.name} broke the association off, got {self._abort_words()}")

    def _connected(self, event: Any) -> None:
        self._opened = True

    def _tls(self) -> tuple[ssl.SSLContext, str] | None:
        to = self._destination
        if to.tls is None:
            return None
        return client_context(to.tls, to.name), to.tls.server_name or str(to.host)

    def _failure(self) -> DeliveryError:
        """Return why the association is not there."""
        connection = self._entity.connection if self._entity is not None else None
        trouble = connection.trouble if connection is not None else None
        if isinstance(trouble, ssl.SSLError):
            return AssociationRejected(f"{self.name} and we cannot agree on TLS, got {words(trouble)}")
        if not self._opened:
            return Unreachable(f"{self.name} cannot be reached, got no connection (refused, filtered or not routed)")
        answers = [primitive for primitive in self._received if isinstance(primitive, A_ASSOCIATE)]
        if answers and answers[-1].result == 0:
            names = ", ".join(sorted({UID(str(context.abstract_syntax)).name for context in self._contexts}))
            return DeliveryRefused(f"{self.name} takes none of the proposed SOP classes, got a refusal of {names}")
        if answers:
            reply = answers[-1]
            return AssociationRejected(
                f"{self.name} rejected the association from {self._calling_ae_title}, "
                f"got {reply.result_str}, {reply.source_str}: {reply.reason_str}"
            )
        if self._aborts():
            return AssociationRejected(f"{self.name} broke the association off, got {self._abort_words()}")
        timeout = self._destination.timeout_seconds
        return Unreachable(f"{self.name} must answer an association request within {timeout} s, got no answer")

    def _aborts(self) -> list[Any]:
        return [primitive for primitive in self._received if isinstance(primitive, A_ABORT | A_P_ABORT)]

    def _abort_words(self) -> str:
        kinds = {A_ABORT: "A-ABORT", A_P_ABORT: "a lost connection"}
        return next((kinds[type(primitive)] for primitive in self._aborts()), "a lost connection")
