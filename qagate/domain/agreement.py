"""Agreement: how far people and the model, or people among themselves, say the same; how sure that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""

ENOUGH = 20
"""Fewer pairs or series than this make no figure that is shown."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval and the number of things it was made from."""

    value: float
    low: float
    high: float
    count: int


def share(hits: int, count: int) -> Figure | None:
    """Return hits of count, 0-1, with Wilson's score interval; None for none. Source: Wilson, JASA 1927;22:209."""
    if count == 0:
        return None
    part = hits / count
    scale = 1 + Z95**2 / count
    centre = (part + Z95**2 / (2 * count)) / scale
    half = Z95 / scale * math.sqrt(part * (1 - part) / count + Z95**2 / (4 * count**2))
    return Figure(part, max(centre - half, 0.0), min(centre + half, 1.0), count)


def kappa(pairs: Sequence[tuple[str, str]]) -> Figure | None:
    """Return Cohen's kappa of paired words, -1..1, 1 = always the same; None when chance alone explains all of it.

    Interval: large-sample standard error. Sources: Cohen, Educ Psychol Meas 1960;20:37; Fleiss, Cohen and Everitt,
    Psychol Bull 1969;72:323, equation 13.
    """
    count = len(pairs)
    if count == 0:
        return None
    cells = {pair: number / count for pair, number in Counter(pairs).items()}
    words = {word for pair in cells for word in pair}
    rows = {word: sum(part for (one, _), part in cells.items() if one == word) for word in words}
    columns = {word: sum(part for (_, other), part in cells.items() if other == word) for word in words}
    same = sum(part for (one, other), part in cells.items() if one == other)
    chance = sum(rows[word] * columns[word] for word in words)
    if chance >= 1.0 - 1e-12:
        return None
    value = (same - chance) / (1 - chance)
    on = sum(cells.get((w, w), 0.0) * ((1 - chance) - (rows[w] + columns[w]) * (1 - same)) ** 2 for w in words)
    off = sum(part * (columns[one] + rows[other]) ** 2 for (one, other), part in cells.items() if one != other)
    rest = (same * chance - 2 * chance + same) ** 2
    variance = max(on + (1 - same) ** 2 * off - rest, 0.0) / (count * (1 - chance) ** 4)
    half = Z95 * math.sqrt(variance)
    return Figure(value, max(value - half, -1.0), min(value + half, 1.0), count)
