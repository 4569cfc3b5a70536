"""Checkpoint: where an association's own thread stops while a message is sent and answered."""

from __future__ import annotations

import threading

POLL_SECONDS = 0.05
"""How often the end of the thread is looked for; it tells nobody."""


class Checkpoint(threading.Event):
    """An Event whose `clear` returns only when the thread has stopped at its `wait`.

    The thread of pynetdicom 3.0.4 says that it pauses, passes the open checkpoint, and only then says that it runs.
    Whoever sends in between can lose the answer to that thread, and then waits for the whole DIMSE timeout.
    """

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__()
        self._thread = thread
        self._changed = threading.Condition()
        self._open = True
        self._stopped_here = False

    def is_set(self) -> bool:
        """Whether the thread may pass."""
        return self._open

    def set(self) -> None:
        """Let the thread pass."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Let the thread pass no more, and return when it has stopped here or has ended."""
        with self._changed:
            self._open = False
            if threading.current_thread() is self._thread:
                return
            while not self._stopped_here and self._thread.is_alive():
                self._changed.wait(POLL_SECONDS)

    def wait(self, timeout: float | None = None) -> bool:
        """Stop until it is open."""
        with self._changed:
            self._stopped_here = True
            self._changed.notify_all()
            self._changed.wait_for(self.is_set, timeout)
            self._stopped_here = False  # under the lock: nobody can find us stopped once we have passed
            return self._open
