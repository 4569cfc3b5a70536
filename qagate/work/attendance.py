"""Attendance: is anybody at work? Beats are counted, and no clocks compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qagate.clock import Clock

GRACE_SECONDS = 90.0
"""A worker that died is started again, and has loaded its network, well before."""


@dataclass(slots=True)
class Attendance:
    """Since when nobody has given a sign of life. Pure counting, but for the clock."""

    clock: Clock
    _seen: Mapping[str, int] = field(default_factory=dict)
    _last: float | None = None

    def look(self, beats: Mapping[str, int]) -> bool:
        """Take the beats of now (executor id → how often); return whether somebody is at work, or was lately."""
        now = self.clock.monotonic_seconds()
        if self._last is None or any(count != self._seen.get(who) for who, count in beats.items()):
            self._last = now
        self._seen = dict(beats)
        return now - self._last <= GRACE_SECONDS

    def forget(self) -> None:
        """Start anew: where the database takes nothing nobody can beat."""
        self._seen, self._last = {}, None
