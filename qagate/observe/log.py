"""Logs: one calm line per event on standard error; no patient data ever goes in."""

from __future__ import annotations

import json
import logging
import sys
import time

from qagate.settings import Logging

NOISY = ("pydicom", "pynetdicom", "dbos", "apscheduler", "alembic", "uvicorn.access", "highdicom", "PIL", "retrying")
"""Libraries that log data set contents or housekeeping; only their errors are shown."""


class JsonLines(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(settings: Logging, process: str) -> None:
    """Send the log of this process to standard error; `process` stands in every plain line."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.json_lines:
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(logging.Formatter(f"%(asctime)s {process:8} %(levelname)-7s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
