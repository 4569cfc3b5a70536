"""Reconciling: once a day, compare what an archive has with what came here and what we delivered."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from qagate.clock import Clock
from qagate.deliver.archive import Archive
from qagate.errors import DeliveryError
from qagate.settings import Destination, Settings
from qagate.store import reconciliation
from qagate.store.database import Database
from qagate.store.reconciliation import FAILED, Compared

logger = logging.getLogger(__name__)

HOUR = 3
"""From this hour of the machine's own day yesterday is compared: late images have come, and few people work."""

AGAIN_AFTER = timedelta(hours=1)
"""How long after a failed comparison it is tried again."""

MODALITIES = ("CT", "MR")
"""Other series are not ours to judge: archives need not send them here."""


@dataclass(frozen=True, slots=True)
class Reconciling:
    """Compares with destinations that have `reconcile = true`."""

    settings: Settings
    database: Database
    clock: Clock

    def sweep(self) -> None:
        """Compare yesterday, unless that was done. Safe to repeat."""
        here = self.clock.now().astimezone()
        if here.hour < HOUR:
            return
        midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
        for destination in self.settings.destinations:
            if destination.reconcile and self._is_due(destination, midnight):
                self._compare(destination, midnight - timedelta(days=1), midnight)

    def _is_due(self, destination: Destination, midnight: datetime) -> bool:
        day = f"{midnight - timedelta(days=1):%Y-%m-%d}"
        with self.database.read() as session:
            made = reconciliation.get(session, destination.name, day)
        return made is None or (made.state == FAILED and self.clock.now() - made.made_at >= AGAIN_AFTER)

    def _compare(self, destination: Destination, since: datetime, until: datetime) -> None:
        archive = Archive(destination, self.settings.node.ae_title)
        day, now = f"{since:%Y-%m-%d}", self.clock.now()
        try:
            held = {s.series_instance_uid for s in archive.series_of(f"{since:%Y%m%d}") if s.modality in MODALITIES}
            with self.database.read() as session:
                seen = reconciliation.seen(session, held)
                ours = reconciliation.delivered(session, destination.name, since=since, until=until)
            absent = [
                one.sop_instance_uid
                for one in ours
                if one.sop_instance_uid not in archive.instances(one.study_instance_uid, one.series_instance_uid)
            ]
            compared = Compared(
                destination.name, day, now, len(held), len(ours), tuple(sorted(held - seen)), tuple(absent)
            )
        except DeliveryError as error:
            compared = Compared(destination.name, day, now, detail=str(error))
        with self.database.begin() as session:
            reconciliation.record(session, compared)
        level = logging.INFO if compared.state == reconciliation.AGREED else logging.WARNING
        logger.log(level, "%s %s", destination.name, compared.words)
