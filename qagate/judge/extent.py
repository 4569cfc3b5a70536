"""Extent: which part of the stack is bad, when it is one part."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

HOLE = 1  # slices in between that may be good without the part falling in two
PART = 0.7  # a part that is more than this share of the stack is "the whole"
DROP = 10.0  # points below the stack's median that make a slice bad when the limit does not tell


def bad_range(scores: Sequence[float | None], limit: float) -> tuple[int, int] | None:
    """Return the 1-based (first, last) slice of the one contiguous bad part of a stack, None when there is none.

    scores: one per slice, 0-100, None where unscored. Bad is below `limit`; when that is all or none of the stack,
    bad is `DROP` points below the median. Bad slices all over the stack make no part.
    """
    known = [score for score in scores if score is not None]
    if len(known) < 3:
        return None
    for threshold in (limit, statistics.median(known) - DROP):
        bad = [i for i, score in enumerate(scores) if score is not None and score < threshold]
        if bad and len(bad) <= PART * len(known):
            together = all(later - earlier <= 1 + HOLE for earlier, later in pairwise(bad))
            return (bad[0] + 1, bad[-1] + 1) if together else None
    return None
