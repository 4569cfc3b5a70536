"""Logs: one calm line per event on standard error; no patient data ever goes in."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

from qagate.errors import QagateError
from qagate.settings import Logging

NOISY = ("pydicom", "pynetdicom", "dbos", "apscheduler", "alembic", "uvicorn.access", "highdicom", "PIL", "retrying")
"""Libraries that log data set contents or housekeeping; only their errors are shown."""


DICOM_LIBRARIES = ("pydicom", "pynetdicom", "highdicom", "dicomweb_client", "gdcm", "PIL", "py")
"""Libraries that see data sets: their words may hold values of attributes, so not even their errors' are shown.

`py` is the logger that Python's own warnings go to.
"""


class _WithoutValues(logging.Filter):
    """Replaces the words of libraries that see data sets by where they come from."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; always show it."""
        library = record.name.partition(".")[0]
        if library in DICOM_LIBRARIES:
            kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else record.levelname.lower()
            record.msg = f"{library}: {kind} at {record.filename}:{record.lineno}; its words may hold patient data"
            record.args = None
            record.exc_info = None
            record.exc_text = None
        return True


class Lines(logging.Formatter):
    """Plain lines; of an exception that is not ours only the kind and the place: its words may hold patient data."""

    def formatException(self, ei: Any) -> str:  # noqa: N802, the name is logging's
        """Return where an exception and what led to it came from, the first one first."""
        lines: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None and len(lines) < 8:
            own = isinstance(error, QagateError)
            head = f"{type(error).__module__}.{type(error).__qualname__}" + (f": {error}" if own else "")
            lines.insert(0, "".join(traceback.format_tb(error.__traceback__)) + head)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nwhich led to\n".join(lines)


class JsonLines(Lines):
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
    handler.addFilter(_WithoutValues())
    if settings.json_lines:
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(Lines(f"%(asctime)s {process:8} %(levelname)-7s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)  # else they go past all this to standard error, values and all
    for name in (*NOISY, "py.warnings"):
        logging.getLogger(name).setLevel(logging.ERROR)
