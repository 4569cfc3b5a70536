"""Sign: whether stored values of a CT have one, where header and rescale say different things about it. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
NEAR = 0.4
"""Neighbours are alike when they differ by less than this part of the range, by which the two readings differ."""


def has_sign(raw: Array, stored_bits: int, said: bool, padding: Array | None = None) -> bool:
    """Return whether values have a sign, `said` where they do not tell.

    raw: (rows, columns), with or without a sign. padding: where raw means nothing. Told by the pixels beside those in
    doubt: what is alike to its neighbours only without a sign is dense bone and metal, and only with one air and fat.
    One value that fills the outside of the field has no say.
    """
    whole = 1 << stored_bits
    if raw.min() < 0 and (2 * int(raw.max()) >= whole or 2 * int(raw.min()) < -whole):
        return said  # more bits than the header says: both ends are used
    values = read(raw, stored_bits, True)
    below = values < 0
    if padding is not None:
        below &= ~padding
    if not below.any():
        return said
    filling, counts = np.unique(values[below], return_counts=True)
    if 2 * int(counts.max()) > int(counts.sum()):
        below &= values != filling[counts.argmax()]
    near, votes = NEAR * whole, 0
    for first, second in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        for here, beside in ((first, second), (second, first)):
            step = (values[beside] - values[here])[below[here] & (values[beside] >= 0)]
            votes += int((step < near).sum()) - int((whole - step < near).sum())
    return votes > 0 if votes else said


def read(raw: Array, stored_bits: int, signed: bool) -> Array:
    """Return values as they are with or without a sign in the highest of their bits, int32."""
    found: Array = raw.astype(np.int32) & ((1 << stored_bits) - 1)
    if signed:
        found -= (found >> (stored_bits - 1)) << stored_bits
    return found
