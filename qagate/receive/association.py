"""One association as its acceptor, on top of pynetdicom's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association

from qagate.errors import SpoolError, TooLarge
from qagate.receive.incoming import Incoming
from qagate.receive.provider import MessageProvider, NetworkProvider, StoreRequest
from qagate.receive.waking import Announced, Checkpoint

logger = logging.getLogger(__name__)

_PROVIDER = 0x02
"""Source of an A-ABORT. PS3.8 Table 9-26."""


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


class AcceptedAssociation(Association):
    """An association that a peer requested of us.

    What differs from pynetdicom's own: the straight path for C-STORE (see qagate.receive.provider), of whatever SOP
    class; its thread sleeps until there is something for it; and `on_end` is called exactly once, when it is over,
    whatever ended it.
    """

    def __init__(
        self,
        ae: Any,
        on_c_store: Callable[[AcceptedAssociation, StoreRequest], int],
        on_lost: Callable[[AcceptedAssociation, SpoolError | TooLarge], int],
        on_end: Callable[[AcceptedAssociation], None],
        incoming: Incoming,
    ) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._on_end = on_end
        self.daemon = True
        self.dimse = MessageProvider(
            self, lambda request: on_c_store(self, request), lambda error: on_lost(self, error), incoming
        )
        self.dul = NetworkProvider(self)
        self._reactor_checkpoint = checkpoint = Checkpoint()
        self.dimse.msg_queue = Announced(checkpoint.tell)
        self.dul.to_user_queue = Announced(checkpoint.tell)
        # these setters pass the limits on to the timers of the new provider
        self.acse_timeout = self.acse_timeout
        self.network_timeout = self.network_timeout

    def run_reactor(self) -> None:
        """Run until the association is over, then say so."""
        try:
            super().run_reactor()
        except Exception as error:  # top of this thread
            # a request that can be read and not be answered; nobody else would ever end its connection
            logger.warning(
                "receive: a request from %s cannot be used: %s", self.requestor.address, type(error).__name__
            )
            self.is_aborted = True
            self.acse.send_abort(_PROVIDER)
            self.kill()
        finally:
            self._on_end(self)
