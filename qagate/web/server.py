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


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    database = Database.reach(settings.database_url)  # pages that need it say 503 until it is there
    logging.getLogger(__name__).info("pages on http://%s:%d", settings.web.host, settings.web.port)
    clock = SystemClock()
    first.announce(settings, database, clock, sys.stdout)
    uvicorn.run(
        create_app(settings, database, clock),
        host=settings.web.host,
        port=settings.web.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    database.close()
