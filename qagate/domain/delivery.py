"""Delivery: the word people are shown for where a document, or the images of a series, stand on their way."""

from __future__ import annotations

DELIVERY_WORDS = {
    "held": "held",
    "planned": "waiting",
    "sent": "sent",
    "warning": "sent, with a remark",
    "committed": "kept by the archive",
    "parked": "parked",
    "rejected": "kept back",
    "withdrawn": "withdrawn",
    "given_up": "given up",
}
"""State, as the database has it → word."""
