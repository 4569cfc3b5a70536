"""A PACS that misbehaves as told, and remembers what it took and how often."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

from qagate.demo.pacs import MiniPacs


class Pacs(MiniPacs):
    """A MiniPacs that can answer with another status, break off, or keep silent.

    `answer`: status instead of Success (the object is kept when it is below 0xA000 or a warning 0xBxxx).
    `abort_after`: aborts each association after so many objects. `silent`: takes objects and never answers.
    """

    def __init__(self, port: int, folder: Path, **named: Any) -> None:
        super().__init__(port, folder, **named)
        self.answer = 0
        self.answers: list[int] = []  # statuses for the next objects, before `answer` holds again
        self.abort_after: int | None = None
        self.silent = threading.Event()
        self.stopped = threading.Event()
        self.asked: Counter[str] = Counter()

    def start(self) -> None:
        """Listen."""
        self.stopped.clear()
        super().start()

    def stop(self) -> None:
        """Stop; whoever waits for an answer is let go."""
        self.stopped.set()
        super().stop()

    def _store(self, event: Any) -> int:
        self.asked[str(event.request.AffectedSOPInstanceUID)] += 1
        if self.silent.is_set():
            while self.silent.is_set() and not self.stopped.wait(0.1):
                pass
            event.assoc.abort()
            return 0xA700
        status = self.answers.pop(0) if self.answers else self.answer
        kept = 0
        if status < 0xA000 or 0xB000 <= status <= 0xBFFF:
            kept = super()._store(event)
        if self.abort_after is not None:
            count = getattr(event.assoc, "objects_taken", 0) + 1
            event.assoc.objects_taken = count
            if count >= self.abort_after:
                event.assoc.abort()
        return kept or status
