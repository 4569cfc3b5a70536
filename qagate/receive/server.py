"""The storage provider: who may send, and that every object that was answered with Success is safe.

Source: PS3.4 Annex B (storage), PS3.8 9.3.4 (rejections).
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from qagate.clock import Clock, SystemClock
from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from qagate.domain.series import StoredInstance
from qagate.domain.status import (
    CANNOT_UNDERSTAND,
    SUCCESS,
)
from qagate.errors import QagateError, SettingsError, SpoolError, TooLarge
from qagate.receive.admission import rejection, too_many, too_often
from qagate.receive.association import AcceptedAssociation, AssociationEvent
from qagate.receive.connections import Connections
from qagate.receive.contexts import contexts_for, served
from qagate.receive.provider import StoreRequest
from qagate.receive.rates import Rates
from qagate.receive.services import Services
from qagate.receive.sparing import SparingLog
from qagate.receive.spool import Spool
from qagate.receive.steps import OnStep
from qagate.receive.storage import Running, Storage
from qagate.receive.transport import AssociationServer, Service
from qagate.settings import Node
from qagate.tls import server_context

__all__ = ["AssociationEvent", "Receiver"]

logger = logging.getLogger(__name__)


class Receiver:
    """Receives objects into a spool until stopped; a context manager.

    `on_stored` is called in the association's thread after an object is durable and before the peer is told Success; if
    it raises StoreError the peer is told Success all the same, because the bytes are safe and are found in the spool.
    `on_association` is told of each association that was accepted, and once of its end. `on_commitment` gets the event
    information of storage commitment results and the calling AE title; absent, they are refused.
    `on_commitment_request` gets the action information of a request for storage commitment, the calling AE title and
    the host, and returns the status; absent, such requests are refused. `on_step` records what scanners say of their
    performed procedure steps; absent, they are refused. `on_refused` is told of rejected associations, of each peer
    once a minute. Objects larger than `max_object_bytes` are refused.
    """

    def __init__(
        self,
        node: Node,
        spool: Spool,
        on_stored: Callable[[StoredInstance], None],
        on_association: Callable[[AssociationEvent], None],
        clock: Clock | None = None,
        *,
        on_commitment: Callable[[Dataset, str], None] | None = None,
        on_commitment_request: Callable[[Dataset, str, str], int] | None = None,
        on_step: OnStep | None = None,
        on_refused: Callable[[str], None] = lambda words: None,
        max_object_bytes: int | None = None,
    ) -> None:
        self._node = node
        self._on_association = on_association
        self._on_refused = on_refused
        self._clock = clock or SystemClock()
        self._log = SparingLog(logger, self._clock)
        self._storage = Storage(
            spool,
            on_stored,
            self._clock,
            self._log,
            own_ae_title=node.ae_title,
            max_object_bytes=max_object_bytes,
        )
        self._services = Services(
            self._peer,
            on_commitment=on_commitment,
            on_commitment_request=on_commitment_request,
            on_step=on_step,
            clock=self._clock,
            log=self._log,
        )
        self._rates = Rates(node.max_associations_per_minute, self._clock)
        self._lock = threading.Lock()
        self._running: dict[AcceptedAssociation, Running] = {}
        self._server: AssociationServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 when it does not."""
        return int(self._server.server_address[1]) if self._server is not None else 0

    @property
    def open_associations(self) -> int:
        """How many associations are open now."""
        with self._lock:
            return len(self._running)

    def __enter__(self) -> Receiver:
        """Start listening."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Listen and return. Raises SettingsError when the address or a file of node.tls cannot be used."""
        node = self._node
        tls = server_context(node.tls) if node.tls is not None else None
        entity = AE(node.ae_title)
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.maximum_pdu_size = node.max_pdu_bytes
        entity.acse_timeout = node.acse_timeout_seconds
        entity.dimse_timeout = node.dimse_timeout_seconds
        entity.network_timeout = node.network_timeout_seconds
        # pynetdicom counts silent connections as associations; the limit on real ones is ours, in _negotiate
        entity.maximum_associations = 1_000_000
        services = self._services
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._negotiate),
            (evt.EVT_ESTABLISHED, self._opened),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            # whole requests take the straight path; only one whose command set is broken comes here
            (evt.EVT_C_STORE, lambda event: CANNOT_UNDERSTAND),
            (evt.EVT_N_ACTION, services.commitment_request),
            (evt.EVT_N_EVENT_REPORT, services.commitment),
            (evt.EVT_N_CREATE, services.step_begun),
            (evt.EVT_N_SET, services.step_went_on),
        ]
        try:
            server = AssociationServer(
                entity,
                (node.host, node.port),
                list(served().values()),
                handlers,
                Service(self._store, self._lost, self._ended, self._storage.incoming, self._log.warn),
                connections=Connections(node.max_connections_per_host, node.max_connections),
                tls=tls,
                share_port=node.receivers > 1,
            )
        except OSError as error:
            raise SettingsError(
                f"node.host and node.port must be an address that is free on this machine, "
                f"got {node.host}:{node.port}: {error.strerror or error}"
            ) from None
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="receive", daemon=True)
        self._thread.start()
        logger.info("receive: %s listens on %s:%d%s", node.ae_title, node.host, self.port, " with TLS" if tls else "")

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Take no new associations, wait for the open ones as long as that, then abort them."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        end = time.monotonic() + grace_seconds
        while self.open_associations and time.monotonic() < end:
            time.sleep(0.01)
        with self._lock:
            remaining = list(self._running)
        for association in remaining:
            association.abort()
        for association in remaining:
            association.join(2)
        if self._thread is not None:
            self._thread.join(5)
        logger.info("receive: %s stopped", self._node.ae_title)

    # negotiation

    def _negotiate(self, event: Any) -> None:
        association = event.assoc
        request = association.requestor.primitive
        running = Running(
            id=uuid.uuid4().hex,
            calling_ae_title=str(request.calling_ae_title).strip(),
            called_ae_title=str(request.called_ae_title).strip(),
            host=str(association.requestor.address_info.address),
        )
        refused = rejection(self._node, running.calling_ae_title, running.called_ae_title, running.host)
        if refused is None and not self._rates.enter(running.calling_ae_title, running.host):
            refused = too_often(self._node, running.calling_ae_title, running.host)
        with self._lock:
            if refused is None and len(self._running) >= self._node.max_associations:
                refused = too_many(self._node, running.calling_ae_title, running.host)
            if refused is None:
                self._running[association] = running
        if refused is None:
            association.acceptor.supported_contexts = contexts_for(
                request.presentation_context_definition_list, served()
            )
            return
        who = f"{running.calling_ae_title} at {running.host}"
        if self._log.warn(refused.key, f"receive: association from {who} rejected: {refused.words}"):
            self._on_refused(f"{who}: {refused.words}")
        association.acse.send_reject(*refused.reason)
        association.kill()  # returns when the rejection is on its way

    # the life of an association

    def _opened(self, event: Any) -> None:
        running = self._of(event.assoc)
        if running is not None:
            self._tell(running, opened=True)

    def _ended(self, association: AcceptedAssociation) -> None:
        with self._lock:
            running = self._running.pop(association, None)
        if running is None:
            return  # silent or rejected
        self._tell(running, opened=False, aborted=not association.is_released)
        logger.info(
            "receive: association %s from %s at %s %s: %d stored, %d bytes, %d refused",
            running.id,
            running.calling_ae_title,
            running.host,
            "released" if association.is_released else "aborted",
            running.stored,
            running.bytes,
            running.refused,
        )

    def _of(self, association: AcceptedAssociation) -> Running | None:
        with self._lock:
            return self._running.get(association)

    def _peer(self, association: AcceptedAssociation) -> tuple[str, str] | None:
        running = self._of(association)
        return (running.calling_ae_title, running.host) if running is not None else None

    def _tell(self, running: Running, *, opened: bool, aborted: bool = False) -> None:
        event = AssociationEvent(
            id=running.id,
            calling_ae_title=running.calling_ae_title,
            called_ae_title=running.called_ae_title,
            host=running.host,
            opened=opened,
            at=self._clock.now(),
            aborted=aborted,
        )
        try:
            self._on_association(event)
        except QagateError as error:
            logger.warning("receive: association %s could not be recorded: %s", running.id, error)
        except Exception:  # top of this thread's work: a fault outside must not end reception
            logger.exception("receive: association %s could not be recorded", running.id)

    # services

    def _store(self, association: AcceptedAssociation, request: StoreRequest) -> int:
        return self._storage.store(request, self._of(association))

    def _lost(self, association: AcceptedAssociation, error: SpoolError | TooLarge) -> int:
        return self._storage.lost(error, self._of(association))
