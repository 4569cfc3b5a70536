"""Waiting for a database that is away when a process starts."""

from __future__ import annotations

import logging
import threading
import time

from qagate.clock import SystemClock
from qagate.errors import StoreError
from qagate.receive.sparing import SparingLog
from qagate.store.database import Database

logger = logging.getLogger(__name__)

TRY_SECONDS = 2.0


def when_there(database_url: str, told: threading.Event, *, try_seconds: float = TRY_SECONDS) -> Database | None:
    """Open the database, waiting for as long as it is away; None when `told` to stop before it came.

    Says once a minute that it waits, and once that it is over. Raises SettingsError for a malformed URL.
    """
    began, waited = time.monotonic(), False
    log = SparingLog(logger, SystemClock())
    while not told.is_set():
        try:
            database = Database.open(database_url)
        except StoreError as error:
            waited = True
            log.warn(("away",), f"{error}; waiting for it, tried again every {try_seconds:g} s")
            told.wait(try_seconds)
            continue
        if waited:
            logger.warning("the database is there after %.0f s", time.monotonic() - began)
        return database
    return None
