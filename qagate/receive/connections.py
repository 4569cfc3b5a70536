"""How many connections each host has, and whether another one is too many."""

from __future__ import annotations

import threading
from collections import Counter


class Connections:
    """Counts open connections, those included whose peer has not said anything yet."""

    def __init__(self, per_host: int, total: int) -> None:
        self._per_host = per_host
        self._total = total
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()

    def enter(self, host: str) -> str:
        """Count one more; empty when it may stay, else the limit that it would break, and it is not counted."""
        with self._lock:
            if self._of[host] >= self._per_host:
                return f"it has {self._per_host} connections (node.max_connections_per_host)"
            if self._of.total() >= self._total:
                return f"{self._total} connections are open (node.max_connections)"
            self._of[host] += 1
            return ""

    def leave(self, host: str) -> None:
        """Count one less."""
        with self._lock:
            self._of[host] -= 1
            if self._of[host] <= 0:
                del self._of[host]

    @property
    def total(self) -> int:
        """How many are open."""
        with self._lock:
            return self._of.total()
