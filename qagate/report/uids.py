"""Unique identifiers, derived: the same words give the same UID, so a repeat is the same object.

They are UUIDs of version 5 under the root 2.25. Source: PS3.5 B.2, RFC 9562 5.5.
"""

from __future__ import annotations

import uuid

NAMESPACE = uuid.UUID("6f1d3c1e-6d0b-5c0e-9f64-2b1a5d7c8e90")
"""Fixed for ever: another value would give every document another identity."""


def derive(*words: str) -> str:
    """Return the UID for these words; their number and order matter."""
    # the length in front of each word keeps ("ab", "c") and ("a", "bc") apart
    return f"2.25.{uuid.uuid5(NAMESPACE, ''.join(f'{len(word)}:{word}' for word in words)).int}"
