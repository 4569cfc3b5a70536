"""Telling: which address has a message already, while others have not. On disk: for all workers, and after a restart.

Where the disk takes nothing it is remembered in memory alone: a message too many is better than none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from qagate.store.alerts import Message
from qagate.work.lock import only_one


@dataclass(frozen=True, slots=True)
class Telling:
    """What was told of messages that not every address took. folder: shared by all workers."""

    folder: Path
    _told: dict[str, set[str]] = field(default_factory=dict, init=False)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Give whether no other worker is telling now; none begins meanwhile."""
        with ExitStack() as held:
            alone = True
            with contextlib.suppress(OSError):  # a disk that is full, or without locks
                alone = held.enter_context(only_one(self.folder / "alerts.lock"))
            yield alone

    def of(self, message: Message, urls: Sequence[str]) -> set[str]:
        """Return those of the addresses that have a message."""
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            self._told.update({key: {*self._told.get(key, ()), *digests} for key, digests in kept.items()})
        known = self._told.get(_key(message), ())
        return {url for url in urls if _digest(url) in known}

    def remember(self, message: Message, told: set[str]) -> None:
        """Keep who has a message."""
        if told:
            self._told[_key(message)] = {_digest(url) for url in told}
            self._write()

    def forget(self, but: Sequence[Message] = ()) -> None:
        """Drop what is about messages that are not to be told any more."""
        gone = self._told.keys() - {_key(message) for message in but}
        for key in gone:
            del self._told[key]
        if gone:
            self._write()

    def _write(self) -> None:
        half = self._path.with_suffix(".part")
        with contextlib.suppress(OSError):
            half.write_text(json.dumps({key: sorted(digests) for key, digests in self._told.items()}), encoding="utf-8")
            half.replace(self._path)

    @property
    def _path(self) -> Path:
        return self.folder / "alerts.told"


def _key(message: Message) -> str:
    return f"{message.alert_id} {message.state} {_digest(message.words)}"


def _digest(text: str) -> str:
    # a password stands in most addresses
    return hashlib.sha256(text.encode()).hexdigest()[:32]
