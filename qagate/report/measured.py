"""Numbers as they stand in a report: finite, in range, and with no more digits than mean something."""

from __future__ import annotations

import math

from qagate.domain.assessment import severity_of


def finite(value: float) -> bool:
    """Return whether the value is a number that can be written."""
    return math.isfinite(float(value))


def rounded(value: float) -> float:
    """Return the value with four significant digits: no measurement here is better than that."""
    return float(f"{float(value):.4g}")


def share(value: float) -> float:
    """Return an artefact's severity inside 0..1: a network in single precision may end a hair outside."""
    return min(max(float(value), 0.0), 1.0)


def grade_of(value: float) -> str:
    """Return the grade of an artefact's severity: none, mild, moderate or severe."""
    return severity_of(share(value))
