"""Settings of holding: what never waits, whatever a policy says."""

from __future__ import annotations

from pydantic import Field

from qagate.settings.base import Days, Hours, Tree


class Holding(Tree):
    """What never waits when a policy holds images; see docs/inline.md."""

    always_forward: tuple[str, ...] = Field(
        (), description="calling AE titles or station names (with * and ?) whose images are never held"
    )
    stat_priorities: tuple[str, ...] = Field(
        ("STAT", "HIGH"),
        description="values of Requested Procedure Priority (0040,1003) that are never held, and judged first",
    )
    stat_words: tuple[str, ...] = Field(
        ("stat", "emergency", "trauma", "stroke"),
        description="words in study, series, protocol or procedure descriptions that are never held, and judged first",
    )
    stat_procedure_codes: tuple[str, ...] = Field(
        (), description="requested procedure codes that are never held, and judged first"
    )
    rejected_keep_days: Days | None = Field(
        None,
        description="days the spool keeps images that a person rejected and that went nowhere; for ever when absent",
    )
    commitment_patience_hours: Hours = Field(
        24, description="hours a storage commitment waits for the destinations before it is answered with failures"
    )
