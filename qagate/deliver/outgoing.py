"""Sending at the pace of the peer: what waits to be sent is limited, and so is how long a peer may take none of it.

pynetdicom puts a whole object into a queue at once, and the time for the answer begins when the last of it is in the
queue: an object that takes longer to travel than that time would never arrive, and one of 4 GB would lie in memory.
"""

from __future__ import annotations

import fcntl
import queue
import struct
import termios
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA

MOST_WAITING = 64
"""PDUs of data that wait for the network: 8 MB at most, and a slice or two even in small ones."""

MAX_PDU_BYTES = 131072
"""Largest PDU that we send or take. A peer's own limit counts where it is lower; 0 there is none (PS3.8 D.1)."""

_LOOK_SECONDS = 0.5
"""How often it is looked whether the connection is still there; what was sent tells by itself."""


class Outgoing(queue.Queue[Any]):
    """What the network's thread is to send; whoever adds data waits for room."""

    def __init__(self, provider: DULServiceProvider) -> None:
        super().__init__()
        self._provider = provider

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add a primitive; data for a connection that is over is dropped."""
        if isinstance(item, P_DATA):
            with self.not_full:
                while self._qsize() >= MOST_WAITING and self._provider.is_alive():
                    self.not_full.wait(_LOOK_SECONDS)
            if not self._provider.is_alive():
                return
        super().put(item, block, timeout)


class Messages(DIMSEServiceProvider):
    """The messages of an association that we request."""

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self._outgoing = association.dul.to_provider_queue = Outgoing(association.dul)

    @property
    def maximum_pdu_size(self) -> int:
        """The largest PDU that goes to the peer, in bytes."""
        return min(super().maximum_pdu_size or MAX_PDU_BYTES, MAX_PDU_BYTES)

    def get_msg(self, block: bool = False) -> Any:
        """Return the next message; the patience with the peer begins anew as long as it takes what we send."""
        if not block:
            return super().get_msg()
        while True:
            before = self._unsent_bytes()
            try:
                return self.msg_queue.get(timeout=self.dimse_timeout)  # (None, None): the association is over
            except queue.Empty:
                if not self.dul.is_alive() or self._unsent_bytes() >= before:
                    return None, None

    def _unsent_bytes(self) -> int:
        """Return how much the peer has yet to take, in bytes; what waits in our own queue counts as whole PDUs."""
        connection = self.dul.socket.socket if self.dul.socket is not None else None
        if connection is None:
            return 0
        try:
            answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        except (OSError, ValueError):
            return 0  # closed meanwhile
        return int(struct.unpack("i", answer)[0]) + self._outgoing.qsize() * MAX_PDU_BYTES
