"""Warnings that do not repeat: a peer that tries again and again must not fill the disk with lines."""

from __future__ import annotations

import logging
import threading

from qagate.clock import Clock

_SECONDS_BETWEEN_EQUAL_LINES = 60.0
_MOST_REMEMBERED_LINES = 1000


class SparingLog:
    """Logs warnings, the same one at most once a minute."""

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._logged: dict[tuple[str, ...], float] = {}

    def warn(self, key: tuple[str, ...], line: str) -> bool:
        """Log a line, unless the same one was logged lately; whether it was. Lines with an equal key are the same."""
        now = self._clock.monotonic_seconds()
        with self._lock:
            if now - self._logged.get(key, float("-inf")) < _SECONDS_BETWEEN_EQUAL_LINES:
                return False
            if len(self._logged) >= _MOST_REMEMBERED_LINES:
                self._logged.clear()
            self._logged[key] = now
        self._logger.warning("%s", line)
        return True
