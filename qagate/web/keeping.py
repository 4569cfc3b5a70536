"""Keeping: the volumes that people judged are kept one after the other, however many were judged at once."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Keeper:
    """Keeps a volume for each series it is told, in the thread of who comes while nobody keeps any.

    Who comes meanwhile leaves the series and goes: building a volume takes seconds and the memory of a whole series,
    and forty who wait for one another are all the threads that the pages have.
    """

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._busy = False

    def keep(self, series_instance_uid: str) -> None:
        """Keep the volume of a series, now or after those that came before it."""
        with self._lock:
            if series_instance_uid not in self._waiting:
                self._waiting.append(series_instance_uid)
            if self._busy:
                return
            self._busy = True
        while (uid := self._next()) is not None:
            try:
                self._keep(uid)
            except Exception:  # those behind it are kept all the same
                logger.exception("the volume of series %s that people judged is not kept", uid)

    def close(self) -> None:
        """Keep no more but the one at hand: while its images are here, `qagate labels` keeps what was left out."""
        with self._lock:
            self._waiting.clear()

    def _next(self) -> str | None:
        with self._lock:
            self._busy = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None
