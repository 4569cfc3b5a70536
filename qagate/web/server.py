"""The web process."""

from __future__ import annotations

import logging
import sys

import uvicorn

from qagate.clock import SystemClock
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.web import first
from qagate.web.app import create_app
from qagate.work.storing import Storing
from qagate.work.watching import Watchman


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    database = Database.reach(settings.database_url)  # pages that need it say 503 until it is there
    logging.getLogger(__name__).info("pages on http://%s:%d", settings.web.host, settings.web.port)
    clock = SystemClock()
    first.announce(settings, database, clock, sys.stdout)
    storing = Storing.open(settings, database) if settings.web.stow else None
    with Watchman(settings, database, clock):
        uvicorn.run(
            create_app(settings, database, clock, storing),
            host=settings.web.host,
            port=settings.web.port,
            log_config=None,
            log_level="warning",  # its housekeeping is no news to anybody
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    if storing is not None:
        storing.close()
    database.close()
