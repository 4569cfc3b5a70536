"""Adopting: the spool is compared with the database, folder by folder, and what the database does not know is noted."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from qagate.domain.series import StoredInstance
from qagate.receive.spool import Spool
from qagate.store import reception
from qagate.store.database import Database

logger = logging.getLogger(__name__)

STALE_SECONDS = 3600
"""After this long nobody is still writing a temporary file: its writer was killed."""

SETTLED_SECONDS = 2.0
"""A folder that changed no longer than this before it was looked at may change again in the same tick of its clock."""

WHOLE_EVERY = 12
"""Each so many looks all folders are looked into, also those that stand as they did."""

_FILES_AT_ONCE = 200


class Adoption:
    """Looks through the spool again and again.

    register: notes objects that nobody sends now; returns how many were new. A folder that has not changed since all of
    it was known is passed over: what is looked at grows with what comes, not with what there is.
    """

    def __init__(self, database: Database, spool: Spool, register: Callable[[list[StoredInstance]], int]) -> None:
        self._database = database
        self._spool = spool
        self._register = register
        self._settled: dict[str, int] = {}
        self._looks = 0

    def look(self) -> Iterator[int]:
        """Look once; yields after each folder how many objects of it were adopted. Raises StoreError."""
        if self._looks % WHOLE_EVERY == 0:
            self._settled.clear()
        self._looks += 1
        for folder in self._spool.folders():
            with contextlib.suppress(FileNotFoundError):  # retention was quicker
                changed = folder.stat().st_mtime_ns
                if self._settled.get(folder.name) == changed:
                    continue
                yield self._adopt(folder)
                if time.time() - changed / 1e9 > SETTLED_SECONDS and self._spool.is_settled(folder):
                    self._settled[folder.name] = changed
                else:
                    self._settled.pop(folder.name, None)

    def _adopt(self, folder: Path) -> int:
        with contextlib.suppress(OSError):
            self._spool.remove_temporary(folder, STALE_SECONDS)
        series = self._spool.series_in(folder)
        if series is None:
            return 0
        with self._database.read() as session:
            known = reception.known_paths(session, series)
        adopted, batch = 0, []
        for instance in self._spool.adopt_folder(folder, known):
            batch.append(instance)
            if len(batch) == _FILES_AT_ONCE:
                adopted += self._register(batch)
                batch = []
        return adopted + (self._register(batch) if batch else 0)
