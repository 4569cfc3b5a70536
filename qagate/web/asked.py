"""Asked: which series a page, a list or an export is about. The same words in every address."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from qagate.clock import midnight
from qagate.store.filter import Filter

OUTCOMES = Literal["accept", "review", "reject", "unscored", "flagged", "todo", ""]
WORD_DATES = ("", "today", "yesterday", "week")
EARLIEST, LATEST = date(1970, 1, 1), date(9990, 1, 1)


def _date_word(value: str) -> str:
    if value in WORD_DATES:
        return value
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = LATEST
    if not EARLIEST <= day < LATEST:
        raise ValueError("a date is today, yesterday, week or like 2026-11-22")
    return value


Word = Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]
Long = Annotated[str, Field(max_length=128, pattern=r"^[^\x00]*$")]
Day = Annotated[str, Field(max_length=10), AfterValidator(_date_word)]


class Asked(BaseModel):
    """The filters of the worklist, as they stand in its address; an empty one does not narrow."""

    model_config = ConfigDict(frozen=True)

    verdict: OUTCOMES = Field("", description="flagged = review or reject; todo = waits for a person")
    modality: Word = Field("", description="as in DICOM, or as the rules found it")
    organ: Word = Field("", description="region or organ")
    scanner: Word = Field("", description="station name or calling AE title")
    protocol: Long = Field("", description="protocol name; series description where there is none")
    date: Day = Field("", description="of the last image: today, yesterday, week, or like 2026-11-22")
    text: Word = Field(
        "", description="part of description, protocol or station; beginning or end of an accession number; a whole UID"
    )
    order: Literal["", "flagged", "latest"] = Field(
        "", description="flagged = what a person should look at stands first, whenever it came"
    )

    def wanted(self) -> Filter:
        """Return the filter for the database."""
        since, until = span(self.date)
        return Filter(
            outcome=self.verdict,
            modality=self.modality,
            organ=self.organ,
            scanner=self.scanner,
            protocol=self.protocol,
            text=self.text,
            since=since,
            until=until,
        )

    @property
    def narrow(self) -> bool:
        """Whether any filter is set."""
        return any(value for name, value in self if name not in ("order", "page"))

    def address(self, path: str = "/", **changes: Any) -> str:
        """Return the address of the same question with some words changed; empty words are left out."""
        words = {name: value for name, value in {**dict(self), **changes}.items() if value and value != 1}
        return f"{path}?{urlencode(words)}" if words else path


def span(word: str, now: datetime | None = None) -> tuple[datetime | None, datetime | None]:
    """Return the first moment of a date word and the first one after it, in the machine's own zone."""
    if not word:
        return None, None
    today = (now or datetime.now(UTC)).astimezone().date()
    if word == "today":
        return midnight(today), None
    if word == "yesterday":
        return midnight(today - timedelta(days=1)), midnight(today)
    if word == "week":
        return midnight(today - timedelta(days=6)), None
    day = date.fromisoformat(word)
    return midnight(day), midnight(day + timedelta(days=1))
