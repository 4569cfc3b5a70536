"""How many associations each peer opens in a minute, and whether another one is too many."""

from __future__ import annotations

import threading
from collections import deque

from qagate.clock import Clock

WINDOW_SECONDS = 60.0
MOST_PEERS = 1000


class Rates:
    """Counts the associations of the last minute for each peer; a limit of 0 is none."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, str], deque[float]] = {}

    def enter(self, calling_ae_title: str, host: str) -> bool:
        """Count one more; False when it is too many, and then it is not counted."""
        if not self._per_minute:
            return True
        now = self._clock.monotonic_seconds()
        with self._lock:
            if len(self._opened) >= MOST_PEERS:  # who makes up AE titles must not fill the memory
                self._opened = {peer: times for peer, times in self._opened.items() if now - times[-1] < WINDOW_SECONDS}
                if len(self._opened) >= MOST_PEERS:
                    self._opened.clear()
            times = self._opened.setdefault((calling_ae_title, host), deque())
            while times and now - times[0] >= WINDOW_SECONDS:
                times.popleft()
            if len(times) >= self._per_minute:
                return False
            times.append(now)
            return True
