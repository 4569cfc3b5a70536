"""Stranding: what waits for a destination that was taken out of the settings is said, and goes on when it is back."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from qagate.clock import Clock
from qagate.settings import Settings
from qagate.store import stranded
from qagate.store.database import Database
from qagate.work.holding import Holds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stranding:
    """Looks after what nobody carries, because the settings name its destination no more."""

    settings: Settings
    database: Database
    clock: Clock

    def sweep(self) -> None:
        """Park what is stranded, and plan again what is no longer. Safe to repeat, and in several processes at once."""
        documents_to = [d.name for d in self.settings.destinations]
        images_to = [d.name for d in self.settings.destinations if d.originals]
        if not images_to:
            # then no forwarder runs: series that were held when the last one went would be so for ever
            Holds(self.settings, self.database, self.clock).sweep()
        now = self.clock.now()
        with self.database.read() as session:
            gone = stranded.images(session, images_to, at=now)
            back = stranded.any_back(session, documents_to=documents_to, images_to=images_to)
        for name in gone:
            with self.database.begin() as session:
                number = stranded.park(session, name, at=now)
            logger.error("%d images for %s are parked: the settings name no such destination any more", number, name)
        if back:
            with self.database.begin() as session:
                number = stranded.resume(session, documents_to=documents_to, images_to=images_to, at=now)
            logger.warning("%d deliveries go on: their destination is in the settings again", number)
