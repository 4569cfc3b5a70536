"""Numbers as they stand in a report: finite, and with no more digits than mean something."""

from __future__ import annotations

import math


def finite(value: float) -> bool:
    """Return whether the value is a number that can be written."""
    return math.isfinite(float(value))


def rounded(value: float) -> float:
    """Return the value with four significant digits: no measurement here is better than that."""
    return float(f"{float(value):.4g}")
