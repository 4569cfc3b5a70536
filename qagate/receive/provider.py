"""The two protocol layers under an accepted association, with a straight path for C-STORE.

pynetdicom hands each message through several queues, two threads and a general decoder; with hundreds of small objects
per second that is most of the work. Here a C-STORE request is put together, served and answered in the thread that
reads the network; everything else goes pynetdicom's way. Source: PS3.7 9.3.1, PS3.8 9.3.5 and Annex E.
"""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from qagate.domain.status import CANNOT_UNDERSTAND
from qagate.errors import SpoolError, TooLarge
from qagate.receive import store_command
from qagate.receive.incoming import Incoming
from qagate.receive.store_command import StoreCommand
from qagate.receive.timer import MonotonicTimer
from qagate.receive.waking import Announced

logger = logging.getLogger(__name__)

_P_DATA_TF = 0x04
_PDU_HEAD_BYTES = 6
_DATA_TRANSFER = "Sta6"  # PS3.8 Table 9-4
_COMMAND, _LAST = 0x01, 0x02  # bits of the message control header
_MAX_COMMAND_BYTES = 1 << 16
_MAX_INFORMATION_BYTES = 32 << 20
"""Of the data set of a message that stores nothing; a request for storage commitment of 50,000 objects has 8 MB."""
_ABORT = b"\7\0\0\0\0\4\0\0\2\0"  # A-ABORT by the provider, reason not specified; PS3.8 9.3.8


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE request, with its data set as encoded by the peer; that is gone when the request has been served."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes | memoryview


class _BrokenMessage(ValueError):
    """A message is not as PS3.7 and PS3.8 say."""


class MessageProvider(DIMSEServiceProvider):
    """Puts messages together; serves C-STORE through `on_c_store`, which returns the status.

    An object that could not be kept while it came in goes to `on_lost` instead, which returns the status too.
    """

    def __init__(
        self,
        association: Any,
        on_c_store: Callable[[StoreRequest], int],
        on_lost: Callable[[SpoolError | TooLarge], int],
        incoming: Incoming,
    ) -> None:
        super().__init__(association)
        self._on_c_store = on_c_store
        self._on_lost = on_lost
        self._command = bytearray()
        self._store: StoreCommand | None = None
        self._passed_on = 0  # bytes of the data set of a message that is no C-STORE
        self._incoming = incoming
        self.serving = False
        """Whether the peer waits for us."""

    @property
    def under_way(self) -> bool:
        """Whether a message has begun to come in and is not whole."""
        return bool(self._command) or self._store is not None or self.message is not None

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the next fragments of a message; one that cannot be understood ends the association."""
        try:
            self._take(primitive)
        except Exception as error:  # top of this thread's work; the state machine would not survive it
            # the words of others than us may hold what was sent
            why = str(error) if isinstance(error, _BrokenMessage) else type(error).__name__
            logger.warning("receive: a message from %s cannot be understood: %s", self.assoc.requestor.ae_title, why)
            self.forget()
            self.dul.event_queue.put("Evt19")  # invalid PDU: A-ABORT

    def forget(self) -> None:
        """Forget what has come in of a message that will never be complete."""
        self._command.clear()
        self._store = None
        self._incoming.clear()

    def _take(self, primitive: P_DATA) -> None:
        for context_id, fragment in primitive.presentation_data_value_list:
            if not len(fragment):
                continue
            control = fragment[0]
            if control & _COMMAND:
                self._command += fragment[1:]
                if len(self._command) > _MAX_COMMAND_BYTES:
                    raise _BrokenMessage(f"a command set must stay under {_MAX_COMMAND_BYTES} bytes")
                if control & _LAST:
                    command, self._command = bytes(self._command), bytearray()
                    self._store = store_command.decoded(context_id, command)
                    self._incoming.clear()
                    self._passed_on = 0
                    if self._store is not None and not self._store.has_data_set:
                        self._serve(self._store)
                    elif self._store is None:
                        self._pass_on(context_id, bytes([control]) + command)
            elif self._store is None:
                self._passed_on += len(fragment)
                if self._passed_on > _MAX_INFORMATION_BYTES:
                    raise _BrokenMessage(f"what stores nothing must stay under {_MAX_INFORMATION_BYTES} bytes")
                self._pass_on(context_id, bytes(fragment))
            else:
                self._incoming.add(fragment[1:])
                if control & _LAST:
                    self._serve(self._store)

    def _pass_on(self, context_id: int, fragment: bytes) -> None:
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, fragment))
        super().receive_primitive(primitive)

    def _serve(self, command: StoreCommand) -> None:
        self._store = None
        association = self.assoc
        # the peer may send as soon as it has our acceptance, a moment before the association's own thread knows of it
        while not association.is_established:
            if association._kill or association.is_aborted or association.is_released:
                return
            time.sleep(0.0005)
        context = association._accepted_cx.get(command.context_id)
        if context is None:
            raise _BrokenMessage(f"a request must use an accepted presentation context, got {command.context_id}")
        self.serving = True
        try:
            with self._incoming.taken() as data_set:
                status = self._status(command, str(context.transfer_syntax[0]), data_set)
        except (SpoolError, TooLarge) as error:
            status = self._on_lost(error)
        finally:
            self.dul._idle_timer.restart()
            self.serving = False
        if association._kill or association._sent_abort:
            return
        response = P_DATA()
        response.presentation_data_value_list.append(
            (command.context_id, bytes([_COMMAND | _LAST]) + store_command.response(command, status))
        )
        self.dul.send_pdu(response)

    def _status(self, command: StoreCommand, transfer_syntax_uid: str, data_set: bytes | memoryview) -> int:
        if not len(data_set):
            return CANNOT_UNDERSTAND
        return self._on_c_store(
            StoreRequest(
                message_id=command.message_id,
                sop_class_uid=_uid(command.sop_class_uid),
                sop_instance_uid=_uid(command.sop_instance_uid),
                transfer_syntax_uid=transfer_syntax_uid,
                data_set=data_set,
            )
        )


class NetworkProvider(DULServiceProvider):
    """Reads PDUs; P-DATA is taken apart without copying it."""

    def __init__(self, association: Any) -> None:
        super().__init__(association)
        self._idle_timer: MonotonicTimer = MonotonicTimer(60)
        self.artim_timer = MonotonicTimer(30)
        self._run_loop_delay = 0.0  # AcceptedSocket.ready does the waiting
        self.to_provider_queue = Announced(self._wake)
        self.daemon = True

    def _wake(self) -> None:
        """Let the thread that reads the network look at what else there is to do."""
        if self.socket is not None and threading.current_thread() is not self:
            cast(Any, self.socket).bell.ring()

    def idle_timer_expired(self) -> bool:
        """Whether the peer has let us wait for too long, between two messages or inside one."""
        messages = cast(MessageProvider, self.assoc.dimse)
        if messages.serving:
            return False  # a large object and a slow disk take their time
        inside = self.assoc.dimse_timeout if messages.under_way else None
        return super().idle_timer_expired() or (inside is not None and self._idle_timer.elapsed > inside)

    def kill_dul(self) -> None:
        """End the thread."""
        super().kill_dul()
        self._wake()

    def run_reactor(self) -> None:
        """Run until the connection is over; what had come in of an unfinished message is then forgotten."""
        try:
            super().run_reactor()
        except Exception as error:  # top of this thread
            # a PDU that can be read and not be used, or a peer that does not wait for our answers
            association = self.assoc
            logger.debug("receive: connection from %s ended: %s", association.requestor.address, type(error).__name__)
            association.is_aborted, association.is_established = True, False
            association._kill = self._kill_thread = True
            if self.socket is not None:
                self.socket.send(_ABORT)
                self.socket.close()
            if association.requestor.primitive is None:
                cast(Any, self.to_user_queue).put(None)  # nobody need wait for its request any longer
        finally:
            cast(MessageProvider, self.assoc.dimse).forget()

    def _decode_pdu(self, bytestream: bytearray) -> Any:
        if bytestream[0] == _P_DATA_TF:
            return _DataTransfer(memoryview(bytestream)[_PDU_HEAD_BYTES:]), "Evt10"
        return super()._decode_pdu(bytestream)

    def _is_transport_event(self) -> bool:
        if self.state_machine.current_state == "Sta13" and self.socket is not None:
            # all is said; reading on, as if PDUs might come, would wait for a peer that talks nonsense
            self.socket.close()
            return True
        return super()._is_transport_event()

    def _read_pdu_data(self) -> None:
        if self.state_machine.current_state == _DATA_TRANSFER and self._read_data():
            return
        super()._read_pdu_data()
        if "Evt17" in self.event_queue.queue and self.assoc.requestor.primitive is None:
            # the peer went away before it said anything: nobody need wait for its request any longer
            cast(Any, self.to_user_queue).put(None)

    def _read_data(self) -> bool:
        """Take a P-DATA-TF PDU straight to the messages; whether that was all that there was to do with it.

        The state machine would do just this, an event later. Another PDU, and the end of the connection, are its own.
        """
        connection = cast(Any, self.socket)
        try:
            head = connection.recv(_PDU_HEAD_BYTES)
            if len(head) < _PDU_HEAD_BYTES or head[0] != _P_DATA_TF:
                connection.unread(head)
                return False
            length = int.from_bytes(head[2:6], "big")
            pdu = connection.recv(length)
        except OSError:
            self.event_queue.put("Evt17")
            return True
        if len(pdu) < length:
            self.event_queue.put("Evt17")
            return True
        try:
            primitive = _DataTransfer(memoryview(pdu)).to_primitive()
        except _BrokenMessage as error:
            logger.debug("receive: %s", error)
            self.event_queue.put("Evt19")
            return True
        self.assoc.dimse.receive_primitive(primitive)
        return True


class _DataTransfer:
    """The items of a P-DATA-TF PDU. Raises ValueError when they do not fill it exactly."""

    def __init__(self, pdu: memoryview) -> None:
        self._items: list[tuple[int, Any]] = []
        offset = 0
        while offset < len(pdu):
            if offset + 5 > len(pdu):
                raise _BrokenMessage("a P-DATA-TF PDU must hold whole items")
            length, context_id = struct.unpack_from(">IB", pdu, offset)
            end = offset + 4 + length
            if length < 2 or end > len(pdu):
                raise _BrokenMessage(f"an item of a P-DATA-TF PDU must lie inside it, got {length} bytes")
            self._items.append((context_id, pdu[offset + 5 : end]))
            offset = end

    def to_primitive(self) -> P_DATA:
        """Return the primitive."""
        primitive = P_DATA()
        primitive.presentation_data_value_list.extend(self._items)
        return primitive


def _uid(value: bytes) -> str:
    return value.decode("latin-1").rstrip(" \0").strip()
