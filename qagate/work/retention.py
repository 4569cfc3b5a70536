"""Retention: what was delivered leaves the disk after a while; what was not delivered never does."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from qagate.clock import Clock
from qagate.receive import leaving
from qagate.settings import Settings
from qagate.store import retention
from qagate.store.database import Database
from qagate.store.retention import Expired

logger = logging.getLogger(__name__)

BATCH = 200
WARN_BELOW_RESERVES = 3
"""Warn when the free disk is below this many times the reserve, well before anything is refused."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what may go, a batch of series at a time."""

    settings: Settings
    database: Database
    clock: Clock

    def sweep(self) -> int:
        """Remove objects, documents and pictures of series that ended long ago; returns how many series.

        All that may go, a batch after the other: what comes in an hour is no more than what one sweep can remove.
        """
        before = self.clock.now() - timedelta(days=self.settings.storage.keep_days)
        removed, last, expired = 0, None, self._expired(before, None)
        while expired:
            removed += sum(self._remove(series, before) for series in expired)
            last = expired[-1]  # some of them stay: the next batch begins behind them
            expired = self._expired(before, last) if len(expired) == BATCH else ()
        if removed:
            logger.info("%d series left the disk after %g days", removed, self.settings.storage.keep_days)
        return removed

    def _expired(self, before: datetime, after: Expired | None) -> tuple[Expired, ...]:
        rejected_days = self.settings.holding.rejected_keep_days
        with self.database.read() as session:
            return retention.expired(
                session,
                before=before,
                limit=BATCH,
                committing=[d.name for d in self.settings.destinations if d.originals and d.commitment],
                rejected_before=None if rejected_days is None else self.clock.now() - timedelta(days=rejected_days),
                after=after,
            )

    def _remove(self, series: Expired, before: datetime) -> bool:
        objects = [Path(path) for path in series.objects]
        again = True
        with _said(objects[0].parent):
            again = any(leaving.came_after(path, before) for path in objects)
        if again:
            return False  # what was sent again is kept as long as what is new
        # the database forgets first: a crash in between leaves files that nobody counts on, never the reverse
        with self.database.begin() as session:
            if not retention.forget(session, series.series_instance_uid, before=before, at=self.clock.now()):
                return False
        for path in objects:
            with _said(path):
                leaving.remove(path, newer_than=before)
        for document in map(Path, series.documents):
            with _said(document):
                document.unlink(missing_ok=True)
        for folder in {path.parent for path in objects}:
            with contextlib.suppress(OSError):  # not empty: something new has come
                folder.rmdir()
        for revision_id in series.revision_ids:
            shutil.rmtree(self.settings.previews_dir / str(revision_id), ignore_errors=True)
        return True

    def watch_disk(self) -> None:
        """Warn before objects have to be refused."""
        if words := disk_words(self.settings):
            logger.warning("%s", words)


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Let one file that cannot be removed keep no other on the disk."""
    try:
        yield
    except OSError as error:
        logger.warning("%s cannot leave the disk, got %s; look at the disk and its permissions", path, error.strerror)


def disk_words(settings: Settings) -> str:
    """Return what is to be said of the disk before objects have to be refused; empty while there is enough of it."""
    folder = settings.storage.data_dir
    free_mb = shutil.disk_usage(folder if folder.exists() else ".").free >> 20
    reserve_mb = settings.storage.reserve_mb
    if free_mb >= WARN_BELOW_RESERVES * reserve_mb:
        return ""
    now = "objects are refused" if free_mb < reserve_mb else f"below {reserve_mb} MB objects are refused"
    return f"{free_mb} MB are free; {now}"
