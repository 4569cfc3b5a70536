"""A data set on its way in: in memory while it is small, in a file without a name when it is not."""

from __future__ import annotations

import contextlib
import mmap
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qagate.errors import SpoolError, SpoolFull, TooLarge

SPILL_BYTES = 128 << 20
"""Above this an object is kept on disk while it comes in; most single images are far below."""

_WRITE_BYTES = 8 << 20

_MOST_FRAGMENTS = 1 << 16
"""In memory at one time: each takes some 200 bytes beside its own, and a sender may make them as small as it likes."""


class Incoming:
    """Fragments of one data set after the other.

    `folder` is where the file of a large one goes: it has no name there, so nothing is left if we die. An object that
    cannot be kept is read to its end all the same, without keeping it: then its sender can be told.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int | None = None,
        free_bytes: Callable[[], int] = lambda: 1 << 62,
        spill_bytes: int = SPILL_BYTES,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._free_bytes = free_bytes
        self._spill_bytes = spill_bytes
        self._fragments: list[bytes | memoryview] = []
        self._held = 0  # bytes in memory
        self._total = 0
        self._file: Any = None  # unbuffered and binary
        self._fault: SpoolError | TooLarge | None = None

    def add(self, fragment: bytes | memoryview) -> None:
        """Take the next fragment."""
        self._total += len(fragment)
        if self._fault is not None or not len(fragment):
            return
        if self._max_bytes is not None and self._total > self._max_bytes:
            self._give_up(TooLarge(f"an object must have at most {self._max_bytes} bytes (storage.max_object_mb)"))
            return
        self._fragments.append(fragment)
        self._held += len(fragment)
        most = self._spill_bytes if self._file is None else _WRITE_BYTES
        if self._held > most or len(self._fragments) > _MOST_FRAGMENTS:
            try:
                self._spill()
            except SpoolError as error:
                self._give_up(error)

    @contextmanager
    def taken(self) -> Iterator[bytes | memoryview]:
        """Give the whole data set, and forget it afterwards.

        Raises TooLarge, SpoolFull or SpoolError when it could not be kept.
        """
        try:
            if self._fault is not None:
                raise type(self._fault)(f"{self._fault}, got {self._total}")
            if self._file is None:
                yield b"".join(self._fragments)
                return
            self._spill()
            with (
                mmap.mmap(self._file.fileno(), self._total, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as view,
            ):
                yield view
        finally:
            self.clear()

    def clear(self) -> None:
        """Forget what has come in."""
        self._fault = None
        self._total = 0
        self._drop()

    def _give_up(self, fault: SpoolError | TooLarge) -> None:
        self._fault = fault
        self._drop()

    def _drop(self) -> None:
        self._fragments = []
        self._held = 0
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def _spill(self) -> None:
        try:
            if self._free_bytes() < self._held:
                raise SpoolFull(f"the spool needs room above its reserve while a large object comes in: {self._folder}")
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115, closed in _drop
            for fragment in self._fragments:
                view = memoryview(fragment)
                while len(view):
                    view = view[self._file.write(view) :]
        except OSError as error:
            raise SpoolError(f"a large object cannot be kept in {self._folder} ({error.strerror})") from None
        self._fragments = []
        self._held = 0
