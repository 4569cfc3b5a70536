"""Reader: what several data sets say of one frame, the nearest one first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydicom.dataset import Dataset

from qagate.assemble.values import numbers_of, tag_of, texts_of


class Reader:
    """Looks attributes up in several data sets, first come first served; then in `base`, which remembers its answers.

    The frames of a multi-frame object share their base: most facts are the same for thousands of frames.
    """

    def __init__(self, layers: tuple[Dataset, ...], base: Reader | None = None) -> None:
        self.layers = layers
        self.base = base
        self._known: dict[tuple[str, str], Any] = {}
        self._held: dict[int, Dataset] = {}
        if base is not None:
            for layer in reversed(layers):
                self._held.update(dict.fromkeys(layer.keys(), layer))

    def numbers(self, keyword: str) -> tuple[float, ...]:
        found: tuple[float, ...] = self._look("numbers", keyword, numbers_of)
        return found

    def number(self, keyword: str) -> float | None:
        return next(iter(self.numbers(keyword)), None)

    def texts(self, keyword: str) -> tuple[str, ...]:
        found: tuple[str, ...] = self._look("texts", keyword, texts_of)
        return found

    def text(self, keyword: str) -> str:
        return "\\".join(self.texts(keyword))

    def vendor(self, name: str, read: Callable[[Dataset], Any]) -> Any:
        """Return what a private attribute of the whole object says."""
        base = self.base or self
        if ("vendor", name) not in base._known:
            base._known["vendor", name] = read(base.layers[-1])
        return base._known["vendor", name]

    def _look(self, kind: str, keyword: str, read: Callable[[Dataset, str], Any]) -> Any:
        if self.base is None:
            if (kind, keyword) not in self._known:
                found = next((found for layer in self.layers if (found := read(layer, keyword))), ())
                self._known[kind, keyword] = found
            return self._known[kind, keyword]
        holder = self._held.get(tag_of(keyword))
        own = read(holder, keyword) if holder is not None else ()
        return own or self.base._look(kind, keyword, read)
