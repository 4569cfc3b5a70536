"""Wakes for the two threads of an association, so that both sleep until there is something to do.

pynetdicom's loops look about every millisecond; with some dozen connections that alone is work for a core, and it takes
Python's lock from those who receive.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

IDLE_SECONDS = 0.05
"""How long both sleep when nobody wakes them: what has no bell of its own is noticed after that."""


class Bell:
    """A descriptor that becomes readable when somebody rings; any thread may ring, also after it was closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Return the descriptor, for poll(). Raises ValueError when it is closed."""
        if self._descriptor is None:
            raise ValueError("the bell is closed")
        return self._descriptor

    def ring(self) -> None:
        """Wake whoever waits for it."""
        with self._lock:
            if self._descriptor is not None:
                os.eventfd_write(self._descriptor, 1)

    def hush(self) -> None:
        """Make it quiet again."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._descriptor is not None:
                os.eventfd_read(self._descriptor)

    def close(self) -> None:
        """Give the descriptor back; may be called again."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)


class Announced(queue.Queue[Any]):
    """A queue that tells of what is put into it."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._tell()


class Checkpoint(threading.Event):
    """Where an association's thread passes in each round: it waits here for news, and while others hold it up.

    News that comes while it is passing is not lost: the next round begins at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._news = threading.Event()
        self.set()

    def tell(self) -> None:
        """There is something to do."""
        self._news.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for news, a moment at most, then until nobody holds us up."""
        self._news.wait(IDLE_SECONDS)
        self._news.clear()
        return super().wait(timeout)
