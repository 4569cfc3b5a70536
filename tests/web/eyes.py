"""What a person in front of the page does: look, wait until it has changed, give up after a while."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 15.0


def pixels(page: Any, what: str = "#volume") -> str:
    """A digest of what a part of the page shows."""
    return hashlib.sha256(page.locator(what).screenshot()).hexdigest()


def until(condition: Callable[[], bool]) -> None:
    """Look again and again, until it is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE_SECONDS} s"
        time.sleep(0.05)


def still(page: Any, what: str = "#volume") -> str:
    """A digest of a part of the page once it shows the same twice in a row."""
    seen = [pixels(page, what)]

    def same() -> bool:
        page.wait_for_timeout(100)
        seen.append(pixels(page, what))
        return seen[-1] == seen[-2]

    until(same)
    return seen[-1]
