"""Settings of review: what people decide, and how it is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from qagate.settings.base import Fraction, Minutes, Tree


class Review(Tree):
    """What people decide on the pages, and how it is kept."""

    two_person_rejection: bool = Field(False, description="a rejection stands only when a second person confirms it")
    undo_minutes: Minutes = Field(10, description="how long a decision can be taken back")
    blind_accepted: Fraction = Field(
        0.0, description="share of good series that people judge with the verdict hidden, so that misses are measured"
    )
    blind_flagged: Fraction = Field(
        0.0, description="share of flagged series among them, so that a hidden verdict does not tell itself"
    )
    labelled_mb: Annotated[int, Field(ge=0)] = Field(
        20480, description="disk for volumes that people judged, kept for fine-tuning; the oldest go first"
    )
