"""Addresses of hosts that the settings name, remembered: a name server that is away must turn no scanner away."""

from __future__ import annotations

import socket
import threading
import time

KEPT_SECONDS = 60.0
"""For so long an answer is not asked for again, nor is one that could not be had."""

_MOST_NAMES = 10_000


class Names:
    """Looks hosts up; where a lookup fails, what was found last stands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, tuple[frozenset[str], float]] = {}

    def addresses(self, host: str) -> frozenset[str]:
        """Return the addresses of a host, none when they were never known."""
        now = time.monotonic()
        with self._lock:
            before, until = self._found.get(host, (frozenset[str](), 0.0))
        if now < until:
            return before
        try:
            found = frozenset(str(entry[4][0]) for entry in socket.getaddrinfo(host, None))
        except (OSError, ValueError):  # a ValueError: it can be no host's name
            found = before
        with self._lock:
            if len(self._found) >= _MOST_NAMES:
                self._found.clear()
            self._found[host] = found, time.monotonic() + KEPT_SECONDS
        return found
