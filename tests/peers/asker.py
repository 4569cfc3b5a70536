"""A scanner that asks for storage commitment. Source: PS3.4 Annex J."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role, evt

from qagate.deliver.peer import Requestor

PUSH_MODEL, PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


@dataclass
class Asker:
    """Asks for storage commitment, and takes the results on a port of its own; use as a context manager."""

    results: dict[str, Dataset] = field(default_factory=dict)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    port: int = 0

    def __enter__(self) -> Asker:
        """Listen for results."""
        self.listen()
        return self

    def listen(self) -> None:
        """Listen for results, on the same port as before if there was one."""
        entity = AE("SCANNER")
        entity.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._told)]
        )
        self.port = int(self._server.server_address[1])

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self.deaf()

    def deaf(self) -> None:
        """Listen no more."""
        self._server.shutdown()

    def _told(self, event: Any) -> tuple[int, None]:
        with self.arrived:
            self.results[str(event.event_information.TransactionUID)] = event.event_information
            self.arrived.notify_all()
        return 0x0000, None

    def ask(self, port: int, instances: list[tuple[str, str]], *, calling: str = "SCANNER") -> tuple[str, int]:
        """Ask for commitment; returns the transaction and the status."""
        entity = Requestor(calling)
        entity.add_requested_context(PUSH_MODEL)
        association = entity.associate(
            "127.0.0.1", port, ae_title="QAGATE", ext_neg=[build_role(PUSH_MODEL, scu_role=True)]
        )
        assert association.is_established
        information = Dataset()
        information.TransactionUID = generate_uid()
        information.ReferencedSOPSequence = []
        for sop_class, uid in instances:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
            information.ReferencedSOPSequence.append(item)
        status, _ = association.send_n_action(information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        association.release()
        return str(information.TransactionUID), int(status.Status)

    def answer(self, transaction: str, seconds: float) -> Dataset | None:
        """Wait for a result."""
        with self.arrived:
            self.arrived.wait_for(lambda: transaction in self.results, seconds)
            return self.results.get(transaction)
