"""Opening the DICOM server of this node: what it hands on, and to whom."""

from __future__ import annotations

from pydicom.dataset import Dataset

from qagate.clock import Clock
from qagate.deliver.commitment import parse_event
from qagate.domain.step import PerformedStep
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.settings import Settings
from qagate.store import completion
from qagate.store.completion import StepOutcome
from qagate.store.database import Database
from qagate.work.committing import record
from qagate.work.promising import Promising
from qagate.work.receiving import Registrar


def open_receiver(settings: Settings, registrar: Registrar, spool: Spool, database: Database, clock: Clock) -> Receiver:
    """Return the DICOM server of this node, not yet started."""

    def promised(event_information: Dataset, calling_ae_title: str) -> None:
        record(parse_event(event_information), database, clock, calling_ae_title)

    promising = Promising(settings, database, clock)

    def stepped(step: PerformedStep, begins: bool) -> StepOutcome:
        with database.begin() as session:
            return completion.create_step(session, step) if begins else completion.set_step(session, step)

    return Receiver(
        settings.node,
        spool,
        on_stored=registrar.stored,
        on_association=registrar.association,
        clock=clock,
        on_commitment=promised,
        on_commitment_request=promising.take if promising.offered else None,
        on_step=stepped,
        on_refused=registrar.refused,
        max_object_bytes=settings.storage.max_object_mb << 20,
    )
