"""The timers of an association. Source: PS3.8 9.1.5."""

from __future__ import annotations

import time

from pynetdicom.timer import Timer


class MonotonicTimer(Timer):
    """A timer that a step of the wall clock neither starts nor stops."""

    def start(self) -> None:
        """Start or restart."""
        self._start_time = time.monotonic()
        self._end_time = None

    def stop(self) -> None:
        """Stop."""
        self._end_time = time.monotonic()

    @property
    def remaining(self) -> float:
        """Seconds until it expires, negative afterwards; 1 when it never does."""
        if self.timeout is None:
            return 1
        return self.timeout - self.elapsed

    @property
    def elapsed(self) -> float:
        """Seconds since it was started, until it was stopped; 0 before."""
        if self._start_time is None:
            return 0
        return (time.monotonic() if self._end_time is None else self._end_time) - self._start_time
