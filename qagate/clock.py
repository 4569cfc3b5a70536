"""The time, in one place, so that tests can hold it still."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol


class Clock(Protocol):
    """Where code that needs the time gets it from."""

    def now(self) -> datetime:
        """Return the wall-clock time, timezone-aware, UTC."""

    def monotonic_seconds(self) -> float:
        """Return seconds that never step back; only differences mean anything."""


def midnight(day: date) -> datetime:
    """Return when a day begins in the machine's own zone; a day may have 23 or 25 hours."""
    return datetime.combine(day, datetime.min.time()).astimezone()


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall-clock time, timezone-aware, UTC."""
        return datetime.now(UTC)

    def monotonic_seconds(self) -> float:
        """Return seconds that never step back; only differences mean anything."""
        return time.monotonic()
