"""One try to bring the documents of one revision to one destination."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from qagate.clock import Clock
from qagate.deliver.destination import Receipt, deliver
from qagate.domain.obstacle import Obstacle
from qagate.errors import DeliveryError, QagateError
from qagate.settings import Destination, Settings
from qagate.store import outbox
from qagate.store.database import Database
from qagate.store.outbox import Item

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Courier:
    """What a worker needs to deliver."""

    settings: Settings
    database: Database
    clock: Clock

    def carry(self, revision_id: int, destination_name: str) -> None:
        """Send what waits for a destination and record what became of it.

        Safe to repeat, because the documents keep their UIDs.
        Database first (what waits), then the network, then the database (what was taken): a crash in between sends the
        same object again, which every archive takes as a duplicate.
        """
        with self.database.read() as session:
            items = outbox.contents(session, revision_id, destination_name)
        if not items:
            return
        destination = next((d for d in self.settings.destinations if d.name == destination_name), None)
        if destination is None:
            why = f"there is no destination {destination_name!r} in the settings any more"
            self._fail(items, Obstacle.NO_DESTINATION, why)
            return
        documents = [[Path(variant) for variant in item.variants] for item in items]
        try:
            receipts = deliver(documents, destination, calling_ae_title=self.settings.node.ae_title)
        except DeliveryError as error:
            waiting = self._taken(items, tuple(error.receipts), destination)
            # all of them were offered: what is refused for good is so for each that was not taken
            self._fail(waiting, Obstacle.of(error), str(error), destination.max_attempts)
            logger.warning("%s: %s", destination.name, error)
            return
        except QagateError as error:
            self._fail(items, Obstacle.of(error), str(error), destination.max_attempts)
            logger.error("%s: %s", destination.name, error)
            return
        self._taken(items, receipts, destination)

    def _taken(
        self, items: tuple[Item, ...], receipts: tuple[Receipt, ...], destination: Destination
    ) -> tuple[Item, ...]:
        """Mark what was taken; returns the others."""
        now = self.clock.now()
        # a refused document may stand before one that was taken: only the UID says which receipt is whose
        item_of = {Path(variant).stem: item for item in items for variant in item.variants}
        taken = [(item_of[r.sop_instance_uid], r) for r in receipts if r.sop_instance_uid in item_of]
        with self.database.begin() as session:
            for item, receipt in taken:
                warning = f"0x{receipt.code:04X} {receipt.detail}".strip() if receipt.status == "warning" else ""
                outbox.delivered(
                    session, item.delivery_id, sop_instance_uid=receipt.sop_instance_uid, warning=warning, at=now
                )
            if taken:
                outbox.is_there(session, destination.name, at=now)
        if taken:
            logger.info("%s took %s", destination.name, " ".join(item.kind for item, _ in taken))
        done = {item.delivery_id for item, _ in taken}
        return tuple(item for item in items if item.delivery_id not in done)

    def _fail(self, items: tuple[Item, ...], obstacle: Obstacle, detail: str, max_attempts: int = 1) -> None:
        with self.database.begin() as session:
            outbox.failed(
                session,
                [item.delivery_id for item in items],
                obstacle=obstacle,
                detail=detail,
                max_attempts=max_attempts,
                at=self.clock.now(),
            )
