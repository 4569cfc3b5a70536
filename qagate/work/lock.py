"""Lock: a duty that several workers of one machine have is done by one of them at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Give whether nobody else holds the lock of this file; if so nobody else gets it meanwhile.

    Raises OSError where the disk takes no file or knows no locks.
    """
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
