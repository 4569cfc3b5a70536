"""Words of the pages: times, units, shapes and states as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi.templating import Jinja2Templates

from qagate.domain import measurement
from qagate.domain.assessment import severity_of
from qagate.domain.decision import REASONS, owner
from qagate.domain.delivery import DELIVERY_WORDS
from qagate.domain.finding import FindingCode
from qagate.domain.verdict import WORDS
from qagate.store.places import MOST_COUNTED

STATE_WORDS = {
    "receiving": "Arriving",
    "queued": "Waiting",
    "scored": "Being delivered",
    "delivered": "Delivered",
    "excluded": "Not for us",
    "failed": "Failed",
}
"""The word people are shown for each state."""

HOLDING_WORDS = {"held": "Held", "released": "Released", "rejected": "Rejected"}
"""The word people are shown for what became of the images of a series, where a policy holds them."""

STATE_SENTENCES = {
    "receiving": "Images are still arriving. The score comes when the series is complete.",
    "queued": "Complete and waiting for its score.",
    "excluded": "This series is not for us to judge",
    "failed": "This series could not be judged",
}

COMPLETED_WORDS = {
    "mpps": "the scanner's own list",
    "archive": "the archive's count",
    "contiguous": "slices without a gap",
    "association_closed": "quiet after the sender ended",
    "quiet": "quiet",
}
"""What said that a series is complete."""

EVENT_WORDS = {"complete": "complete", "verdict": "verdict", "delivered": "delivered", "parked": "delivery parked",
               "excluded": "not for us", "failed": "failed", "held": "images held", "released": "images released",
               "rejected": "rejected", "decided": "decided", "note": "note",
               "given_up": "delivery given up"}  # fmt: skip


REVIEW_WORDS = {
    "open": "to do",
    "proposed": "second person?",
    "agreed": "agreed",
    "disagreed": "disagreed",
    "rejected": "rejected",
}
"""Where a series stands with people, in a list."""

KIND_WORDS = {
    "agree": "agreed",
    "disagree": "disagreed",
    "grade": "graded",
    "reject": "rejected it",
    "release": "released the images",
    "repeat": "asked for a repeat",
    "note": "noted",
    "undo": "took it back",
}
"""What a person did, after their name."""

CODES = frozenset(str(code) for code in FindingCode)


def ago(iso: str | None) -> str:
    """Return a time as people say it: relative up to an hour, then absolute with its zone."""
    if not iso:
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds()
    if 0 <= seconds < 60:
        return f"{seconds:.0f} s ago"
    if 0 <= seconds < 3600:
        return f"{seconds / 60:.0f} min ago"
    return then(iso)


def then(iso: str | None) -> str:
    """Return a time with its zone, the machine's own, and with its date when that is another day than today."""
    return _here(iso, "%H:%M %Z")


def clock(iso: str | None) -> str:
    """Return the time of day with seconds, in the machine's own zone, after its date when that is another day."""
    return _here(iso, "%H:%M:%S")


def stamp(iso: str | None) -> str:
    """Return a time in full, in the machine's own zone."""
    return f"{datetime.fromisoformat(iso).astimezone():%Y-%m-%d %H:%M:%S %Z}" if iso else ""


def minute(iso: str | None) -> str:
    """Return the time of day without seconds, in the machine's own zone."""
    return f"{datetime.fromisoformat(iso).astimezone():%H:%M}" if iso else ""


def _here(iso: str | None, form: str) -> str:
    if not iso:
        return ""
    here = datetime.fromisoformat(iso).astimezone()
    return f"{here:{form}}" if here.date() == datetime.now().astimezone().date() else f"{here:%Y-%m-%d {form}}"


def this_moment() -> str:
    """Return the time by the machine's clock: pages count from it, as the clock before the screen may be wrong."""
    return datetime.now(UTC).isoformat()


def whole(value: float | None) -> str:
    """Return a score without false precision."""
    return "" if value is None else f"{value:.0f}"


def counted(number: int) -> str:
    """Return a count as people read it; large ones are not counted to their end."""
    return f"{number:,}".replace(",", " ") + ("+" if number >= MOST_COUNTED else "")


def took(seconds: float | None) -> str:
    """Return how long something took, as +11 s, +4 min or +2 h."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"+{max(seconds, 0):.0f} s"
    return f"+{seconds / 60:.0f} min" if seconds < 5400 else f"+{seconds / 3600:.0f} h"


def sentence(text: str) -> str:
    """Return a reason with a capital first letter, no full stop, and without the code of the finding before it."""
    code, colon, rest = text.partition(": ")
    if colon and code in CODES:
        text = rest
    return text[:1].upper() + text[1:].rstrip(".")


def teach(templates: Jinja2Templates) -> None:
    """Give the templates all words."""
    filters = (ago, then, clock, stamp, minute, counted, whole, took, sentence)
    templates.env.filters.update({function.__name__: function for function in filters}, grade=severity_of)
    templates.env.filters |= {"named": measurement.words, "owner": owner}
    templates.env.globals.update(
        WORDS={str(outcome): word for outcome, word in WORDS.items()},
        STATE_WORDS=STATE_WORDS,
        HOLDING_WORDS=HOLDING_WORDS,
        STATE_SENTENCES=STATE_SENTENCES,
        DELIVERY_WORDS=DELIVERY_WORDS,
        COMPLETED_WORDS=COMPLETED_WORDS,
        EVENT_WORDS=EVENT_WORDS,
        REVIEW_WORDS=REVIEW_WORDS,
        KIND_WORDS=KIND_WORDS,
        REASONS=tuple(REASONS.values()),
        reading=measurement.number,
        unit_of=measurement.unit,
        this_moment=this_moment,
    )
