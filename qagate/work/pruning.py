"""The sweep that keeps the database from growing for ever: old rows go, a few at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from qagate.clock import Clock
from qagate.settings import Settings
from qagate.store import pruning
from qagate.store.database import Database
from qagate.store.pruning import Kind

logger = logging.getLogger(__name__)

BATCH = 1000
"""Rows deleted at once: reception waits for as long as that takes, some hundredths of a second."""

LONGEST_SWEEP_SECONDS = 60.0
"""What is left then goes in the next sweep; whoever stops the process does not wait longer."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """Deletes rows that are older than the settings keep them."""

    settings: Settings
    database: Database
    clock: Clock
    rest: Callable[[float], None] = time.sleep

    def sweep(self) -> int:
        """Delete what is old enough; returns how many rows. Safe to repeat, and in several processes at once."""
        until = self.clock.monotonic_seconds() + LONGEST_SWEEP_SECONDS
        removed = 0
        for kind in self._kinds(self.clock.now()):
            number = self._prune(kind, until)
            if number:
                logger.info("%d old %s left the database", number, kind.name)
            removed += number
        return removed

    def _kinds(self, now: datetime) -> tuple[Kind, ...]:
        storage = self.settings.storage
        exchanged = now - timedelta(days=storage.keep_exchanges_days)
        return (
            pruning.events(now - timedelta(days=storage.keep_events_days)),
            pruning.associations(now - timedelta(days=storage.keep_associations_days)),
            pruning.commitments(exchanged),
            pruning.inquiries(exchanged),
            pruning.forwards(exchanged),
        )

    def _prune(self, kind: Kind, until: float) -> int:
        removed, last = 0, None
        while self.clock.monotonic_seconds() < until:
            # looked for without a lock, which SQLite has only one of
            with self.database.read() as session:
                page = pruning.page(session, kind, after=last, limit=BATCH)
            if page.keys:
                began = self.clock.monotonic_seconds()
                with self.database.begin() as session:
                    removed += pruning.remove(session, kind, page.keys)
                self.rest(self.clock.monotonic_seconds() - began)  # as long as others have waited, they go first
            if page.last is None:
                break
            last = page.last
        return removed
