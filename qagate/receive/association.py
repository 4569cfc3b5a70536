"""One association as its acceptor, on top of pynetdicom's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from qagate.receive.provider import MessageProvider, NetworkProvider, StoreRequest

_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"


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
    """An association that a peer requested of us.

    What differs from pynetdicom's own: the straight path for C-STORE (see qagate.receive.provider), of whatever SOP
    class; and `on_end` is called exactly once, when it is over, whatever ended it.
    """

    def __init__(
        self,
        ae: Any,
        on_c_store: Callable[[AcceptedAssociation, StoreRequest], int],
        on_end: Callable[[AcceptedAssociation], None],
    ) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._on_end = on_end
        self.daemon = True
        self.dimse = MessageProvider(self, lambda request: on_c_store(self, request))
        self.dul = NetworkProvider(self)
        # these setters pass the limits on to the timers of the new provider
        self.acse_timeout = self.acse_timeout
        self.network_timeout = self.network_timeout

    def run_reactor(self) -> None:
        """Run until the association is over, then say so."""
        try:
            super().run_reactor()
        finally:
            self._on_end(self)
