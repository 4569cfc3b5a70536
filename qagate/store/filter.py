"""Filter: which series a list is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FLAGGED = ("reject", "review")
OUTCOMES = ("reject", "review", "unscored", "accept", "")
"""All outcomes of a series, "" = none yet."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which series to list; an empty value does not narrow. outcome may also be "flagged" (review or reject) or "todo"
    (waits for a person). hidden: only those whose verdict is hidden from people (True), or without them (False).
    pending_since: only what waits for a person and came since then. without: Series Instance UIDs to leave out.

    organ: a word of the region or the organ. scanner: station name or calling AE title. protocol: its name, or the
    series description where it has none, as in the trends. text: a part of description, protocol or station, the
    beginning or the end of an accession number, or a whole UID. since, until: bounds of the time of the last image, the
    first included, the second not.
    """

    outcome: str = ""
    modality: str = ""
    state: str = ""
    calling_ae_title: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    organ: str = ""
    scanner: str = ""
    protocol: str = ""
    hidden: bool | None = None
    pending_since: datetime | None = None
    without: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that it lists; empty = all."""
        if self.outcome == "flagged":
            return FLAGGED
        return (self.outcome,) if self.outcome and not self.waiting else ()

    @property
    def waiting(self) -> bool:
        """Whether it lists what waits for a person."""
        return self.outcome == "todo"
