"""Storage commitment: has the destination promised to keep what it took?"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid

from qagate.clock import Clock
from qagate.deliver.commitment import CommitmentResult, request
from qagate.errors import DeliveryError
from qagate.settings import Destination, Settings
from qagate.store import forwarding, outbox
from qagate.store.database import Database
from qagate.store.outbox import Sent

logger = logging.getLogger(__name__)

ASK_AGAIN_AFTER = timedelta(minutes=15)
"""How long an answer may take before it is asked for again."""


@dataclass(frozen=True, slots=True)
class Commitments:
    """Asks destinations with `commitment = true`, and records what they answer."""

    settings: Settings
    database: Database
    clock: Clock

    def ask(self) -> None:
        """Ask for everything that was taken and not yet promised. Safe to repeat."""
        asking = {d.name: d for d in self.settings.destinations if d.commitment and d.kind == "dimse"}
        if not asking:
            return
        now = self.clock.now()
        with self.database.read() as session:
            waiting = outbox.uncommitted(session, tuple(asking), asked_before=now - ASK_AGAIN_AFTER, now=now)
        for name, items in groupby(waiting, key=lambda item: item.destination):
            self._ask_one(asking[name], tuple(items))

    def _ask_one(self, destination: Destination, items: Sequence[Sent]) -> None:
        # whose file has left the disk was taken long ago; it must not keep the others from being asked for
        classes = {item: _sop_class_of(item) for item in items}
        gone = [item.delivery_id for item in items if not classes[item]]
        items = [item for item in items if classes[item]]
        if gone:
            with self.database.begin() as session:
                outbox.await_commitment(session, gone, transaction_uid="", at=self.clock.now())
        if not items:
            return
        transaction_uid = str(generate_uid(prefix=None))
        with self.database.begin() as session:  # before the call: the answer may overtake its return
            outbox.await_commitment(
                session, [i.delivery_id for i in items], transaction_uid=transaction_uid, at=self.clock.now()
            )
        instances = [(classes[item], item.sop_instance_uid) for item in items]
        self._request(destination, instances, transaction_uid)

    def ask_for_originals(self) -> None:
        """Ask for every original that was taken and not yet promised. Safe to repeat."""
        for destination in self.settings.destinations:
            if not (destination.originals and destination.commitment):
                continue
            now = self.clock.now()
            with self.database.read() as session:
                items = forwarding.uncommitted(session, destination.name, asked_before=now - ASK_AGAIN_AFTER, now=now)
            if not items:
                continue
            transaction_uid = str(generate_uid(prefix=None))
            with self.database.begin() as session:
                forwarding.await_commitment(
                    session, [i.forward_id for i in items], transaction_uid=transaction_uid, at=now
                )
            self._request(destination, [(i.sop_class_uid, i.sop_instance_uid) for i in items], transaction_uid)

    def _request(self, destination: Destination, instances: Sequence[tuple[str, str]], transaction_uid: str) -> None:
        try:
            result = request(
                destination,
                instances,
                calling_ae_title=self.settings.node.ae_title,
                transaction_uid=transaction_uid,
                on_other=lambda other: record(other, self.database, self.clock, destination.name),
            )
        except DeliveryError as error:
            logger.warning("%s: no storage commitment: %s", destination.name, error)
            return
        if result is not None:
            record(result, self.database, self.clock, destination.name)


def record(result: CommitmentResult, database: Database, clock: Clock, who: str) -> None:
    """Write down what a destination promised; what it will not keep is sent again later."""
    now = clock.now()
    with database.begin() as session:
        kept = outbox.committed(
            session, transaction_uid=result.transaction_uid, sop_instance_uids=result.committed, at=now
        )
        lost = outbox.not_committed(
            session,
            transaction_uid=result.transaction_uid,
            sop_instance_uids=tuple(result.failed),
            detail="taken, but the destination does not promise to keep it; sent again",
            at=now,
        )
        kept += forwarding.committed(
            session, transaction_uid=result.transaction_uid, sop_instance_uids=result.committed, at=now
        )
        lost += forwarding.not_committed(
            session,
            transaction_uid=result.transaction_uid,
            sop_instance_uids=tuple(result.failed),
            detail="taken, but the destination does not promise to keep it; sent again",
            at=now,
        )
    logger.log(logging.WARNING if lost else logging.INFO, "%s keeps %d objects for good, not %d", who, kept, lost)


def _sop_class_of(item: Sent) -> str:
    for variant in item.variants:
        try:
            header = dcmread(variant, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        except (OSError, InvalidDicomError):
            continue
        if header.SOPInstanceUID == item.sop_instance_uid:
            return str(header.SOPClassUID)
    return ""
