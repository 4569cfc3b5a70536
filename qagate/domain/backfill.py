"""Backfill: which series of an archive are scored afterwards, and when that may go on. Pure: no clock, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Any

from qagate.errors import InputError

SIGNAL = "backfill"
"""What completes a series that was fetched to be scored afterwards (RevisionRow.completed_by)."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted of an archive; nothing in it names a patient.

    since, until: study dates as the archive has them, both included. modalities: of the series. description: of the
    series, with * and ? as in file names, case ignored; "" = any. Raises InputError when the dates are turned round.
    """

    since: date
    until: date
    modalities: tuple[str, ...] = ("CT", "MR")
    description: str = ""

    def __post_init__(self) -> None:
        """Check the dates."""
        if self.since > self.until:
            raise InputError(f"the first day must not come after the last, got {self.since} and {self.until}")

    def wants(self, modality: str, description: str) -> bool:
        """Whether a series is wanted."""
        if modality not in self.modalities:
            return False
        return not self.description or fnmatchcase(description.casefold(), self.description.casefold())

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "modalities": list(self.modalities),
            "description": self.description,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Query:
        """Return it from plain data."""
        since, until = date.fromisoformat(data["since"]), date.fromisoformat(data["until"])
        return cls(since, until, tuple(data["modalities"]), str(data["description"]))

    def __str__(self) -> str:
        """Say it in words."""
        like = f" like {self.description!r}" if self.description else ""
        return f"{' and '.join(self.modalities)} series{like} of {self.since} to {self.until}"


@dataclass(frozen=True, slots=True)
class Window:
    """The time of day in which an archive may be asked, by the site's clock: from `opens` until `closes`.

    It may go over midnight. Both the same: all day.
    """

    opens: time
    closes: time
    zone: tzinfo | None = None

    @classmethod
    def read(cls, text: str, zone: tzinfo | None = None) -> Window:
        """Return the window that "20:00-06:00" means. zone: None is the machine's own. Raises InputError."""
        try:
            opens, closes = (time.fromisoformat(part.strip()) for part in text.split("-"))
            if opens.tzinfo or closes.tzinfo:
                raise ValueError("the zone is said apart")
        except ValueError:
            raise InputError(f"a window of time must look like 20:00-06:00, got {text!r}") from None
        return cls(opens, closes, zone)

    def opens_at(self, now: datetime) -> datetime | None:
        """Return when it opens next, UTC; None while it is open. now: timezone-aware.

        Wall-clock times of the zone count: in the night of a change of the clocks the window is an hour longer or
        shorter. A window that opens at a time which that night does not have opens an hour later.
        """
        here = now.astimezone(self.zone)
        at = here.time().replace(tzinfo=None)
        inside = self.opens <= at < self.closes if self.opens < self.closes else at >= self.opens or at < self.closes
        if inside:
            return None
        day = here.date() if at < self.opens else here.date() + timedelta(days=1)
        naive = datetime.combine(day, self.opens)
        opens = naive.astimezone() if self.zone is None else naive.replace(tzinfo=self.zone)
        return opens.astimezone(UTC)  # times of one zone are compared without its changes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is: days of its query that are listed, and series by what became of them.

    found: all that were wanted. waiting: to be fetched. judging: fetched, and without a verdict. judged: have one, or
    are recognised as not ours to judge. known: were here before, and are left as they are. failed: could not be had or
    judged. per_hour: verdicts in the last hour.
    """

    days: int
    days_listed: int
    found: int = 0
    waiting: int = 0
    judging: int = 0
    judged: int = 0
    known: int = 0
    failed: int = 0
    per_hour: int = 0
    note: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.days_listed >= self.days and not self.waiting and not self.judging

    def __str__(self) -> str:
        """Say it in one line."""
        parts = [f"day {self.days_listed} of {self.days}", f"{self.found} series found", f"{self.judged} judged"]
        parts += [
            f"{number} {word}"
            for number, word in (
                (self.known, "known before"),
                (self.failed, "failed"),
                (self.judging, "being judged"),
                (self.waiting, "waiting"),
                (self.per_hour, "in the last hour"),
            )
            if number
        ]
        return " · ".join([*parts, "done"] if self.ended else [*parts, *([self.note] if self.note else [])])
