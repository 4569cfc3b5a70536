"""Outages: the database cannot be used. It keeps the incidents, so this one is kept in a file beside it.

Whoever makes the file tells people; whoever finds it when the database is back takes it away and tells them so.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from qagate.clock import Clock
from qagate.deliver.message import send
from qagate.settings import Settings

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0
"""So long it may be away: a restart or a long transaction of another program is no news."""

AWAY = (
    "The database cannot be used: images are taken and kept, and none is judged or forwarded until it is back; is its "
    "server there, its disk full, its file locked by another program?"
)
BACK = "The database can be used again: what waited goes on"


@dataclass(slots=True)
class Outage:
    """How long the database has been away, and whether people know."""

    settings: Settings
    clock: Clock
    _since: float | None = None
    _told: set[str] = field(default_factory=set)
    _ours: bool = False

    def lasts(self, *, quiet: bool) -> None:
        """Note that it is away; tell people once, when it has been so for a while. Raises QagateError."""
        now = self.clock.monotonic_seconds()
        self._since = now if self._since is None else self._since
        if now - self._since < PATIENCE_SECONDS or quiet or not self.settings.alerts.urls:
            return
        if not self._ours and not self._mark():
            return  # another process tells it
        self._ours = True
        if len(self._told) < len(self.settings.alerts.urls):
            send(self.settings.alerts.urls, "qagate: look", AWAY, self._told)

    def is_over(self) -> None:
        """Note that it can be used; tell those who were told otherwise. Raises QagateError."""
        try:
            self._path.unlink()
            known = True
        except OSError:
            known = self._ours and bool(self._told)  # where the disk took no file
        self._since, self._ours, self._told = None, False, set()
        if known:
            send(self.settings.alerts.urls, "qagate: over", BACK)

    def _mark(self) -> bool:
        """Make the file; whether the telling is ours."""
        try:
            self._path.touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:  # a disk that is full: a message too many is better than none
            logger.debug("%s cannot be made", self._path)
        return True

    @property
    def _path(self) -> Path:
        return self.settings.storage.data_dir / "alerts.away"
