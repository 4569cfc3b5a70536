"""Watching: a process that is no worker looks for incidents while no worker does, so that its death is told, too."""

from __future__ import annotations

import logging
import threading

from qagate.clock import Clock
from qagate.errors import QagateError, StoreError
from qagate.settings import Settings
from qagate.store import workers
from qagate.store.database import Database
from qagate.work.alerting import Alerting
from qagate.work.attendance import Attendance

logger = logging.getLogger(__name__)

LOOK_SECONDS = 20.0


class Watchman:
    """Looks again and again, from a thread of its own; use as a context manager."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._database = database
        self._alerting = Alerting(settings, database, clock)
        self._workers = Attendance(clock)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchman", daemon=True)

    def __enter__(self) -> Watchman:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, without waiting for an address that does not answer."""
        self._over.set()
        self._thread.join(1)

    def look(self) -> bool:
        """Look once; returns whether the incidents were looked after here. Raises QagateError."""
        try:
            with self._database.read() as session:
                beats = workers.beats(session)
        except StoreError:
            beats = {}
            attended = False
        else:
            attended = self._workers.look(beats)
        if attended:
            return False
        try:
            self._alerting.watch()
        except StoreError:
            self._workers.forget()
            raise
        return True

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self.look()
            except QagateError as error:
                logger.error("alerts: %s; it is tried again", error)
            except Exception:  # the top of this thread
                logger.exception("alerts: looking for incidents failed; it is tried again")
