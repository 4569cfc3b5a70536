"""The storage service: an object is answered with Success once it would survive a power cut. Source: PS3.4 Annex B."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from qagate.clock import Clock
from qagate.domain.series import StoredInstance
from qagate.domain.status import DATA_SET_DOES_NOT_MATCH, OUT_OF_RESOURCES, PROCESSING_FAILURE, SUCCESS
from qagate.errors import SpoolError, SpoolFull, StoreError, TooLarge
from qagate.receive.incoming import Incoming
from qagate.receive.provider import StoreRequest
from qagate.receive.sparing import SparingLog
from qagate.receive.spool import Spool

logger = logging.getLogger(__name__)


@dataclass
class Running:
    """What is counted about one association while it lasts."""

    id: str
    calling_ae_title: str
    called_ae_title: str
    host: str
    stored: int = 0
    bytes: int = 0
    refused: int = 0


class Storage:
    """Puts what comes into the spool. on_stored: as the receiver's. max_object_bytes: larger objects are refused."""

    def __init__(
        self,
        spool: Spool,
        on_stored: Callable[[StoredInstance], None],
        clock: Clock,
        log: SparingLog,
        *,
        own_ae_title: str,
        max_object_bytes: int | None,
    ) -> None:
        self._spool = spool
        self._on_stored = on_stored
        self._clock = clock
        self._log = log
        self._own_ae_title = own_ae_title
        self._max_object_bytes = max_object_bytes

    def incoming(self) -> Incoming:
        """Return where the data sets of one association come together."""
        return Incoming(self._spool.root, self._max_object_bytes, self._spool.free_bytes)

    def store(self, request: StoreRequest, running: Running | None) -> int:
        """Keep an object and return the status; None: its association was never accepted."""
        if running is None:
            return PROCESSING_FAILURE
        try:
            status = self._keep(request, running)
        except Exception:  # top of this thread's work: a fault with one object must not end the association
            logger.exception("receive: an object from %s could not be stored", running.calling_ae_title)
            status = PROCESSING_FAILURE
        if status not in (SUCCESS, DATA_SET_DOES_NOT_MATCH):
            running.refused += 1
        return status

    def lost(self, error: SpoolError | TooLarge, running: Running | None) -> int:
        """Return the status for an object that could not be kept while it came in."""
        if running is not None:
            running.refused += 1
        who = running.calling_ae_title if running is not None else ""
        self._log.warn(("lost", type(error).__name__, who), f"receive: an object from {who} is refused: {error}")
        return OUT_OF_RESOURCES

    def _keep(self, request: StoreRequest, running: Running) -> int:
        try:
            instance = self._spool.store(
                request.data_set,
                sop_class_uid=request.sop_class_uid,
                sop_instance_uid=request.sop_instance_uid,
                transfer_syntax_uid=request.transfer_syntax_uid,
                calling_ae_title=running.calling_ae_title,
                called_ae_title=running.called_ae_title or self._own_ae_title,
                received_at=self._clock.now(),
                association_id=running.id,
            )
        except SpoolFull as error:
            self._log.warn(("full",), f"receive: objects are refused: {error}")
            return OUT_OF_RESOURCES
        except SpoolError as error:
            self._log.warn(("spool",), f"receive: objects are refused: {error}")
            return OUT_OF_RESOURCES
        running.stored += 1
        running.bytes += instance.size_bytes
        if instance.arrival == "conflicting":
            logger.warning(
                "receive: %s sent other bytes under the known SOP Instance UID %s; both are kept",
                running.calling_ae_title,
                instance.sop_instance_uid,
            )
        try:
            self._on_stored(instance)
        except StoreError as error:
            self._log.warn(("store",), f"receive: objects are safe in the spool but not in the database yet: {error}")
        if instance.announced is None:
            return SUCCESS
        self._log.warn(("announced", running.calling_ae_title), _mismatch(instance, running.calling_ae_title))
        return DATA_SET_DOES_NOT_MATCH


def _mismatch(instance: StoredInstance, calling_ae_title: str) -> str:
    said = instance.announced
    assert said is not None
    return (
        f"receive: {calling_ae_title} announced an object as {said.sop_instance_uid} of class {said.sop_class_uid} and "
        f"sent another, {instance.sop_instance_uid} of class {instance.sop_class_uid}: it is kept as it is, answered "
        f"with 0x{DATA_SET_DOES_NOT_MATCH:04X}, and storage commitment answers for both; have the sender corrected"
    )
