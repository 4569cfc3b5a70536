"""The archive that a backfill goes through: which one it is, and what its words about time mean."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

from qagate.deliver.archive import ArchivedSeries
from qagate.errors import SettingsError
from qagate.settings import Destination, Settings


def destination_for(settings: Settings, name: str, by: str | None) -> Destination:
    """Return the archive of this name with the way to fetch from it. Raises SettingsError."""
    found = next((d for d in settings.destinations if d.name == name), None)
    if found is None:
        known = ", ".join(d.name for d in settings.destinations) or "none"
        raise SettingsError(f"there is no destination of this name (known: {known}), got {name!r}")
    if by is not None:
        found = Destination.model_validate({**found.model_dump(), "retrieve": by})
    if found.retrieve == "no":
        ways = "wado-rs" if found.kind == "stow" else "c-get or c-move"
        raise SettingsError(f"say how images are fetched from {name}: --by {ways}, or retrieve in its settings")
    if found.retrieve == "c-move" and any(d.originals for d in settings.destinations):
        raise SettingsError(
            f"what comes from {name} by c-move would be forwarded like what a scanner sends; fetch by c-get or wado-rs"
        )
    return found


def study_time(series: ArchivedSeries, day: date, zone: tzinfo | None) -> datetime:
    """Return when a study was, timezone-aware; its day at noon where the time is not said or makes no sense.

    zone: of the site, whose clock the archive's times are; None is the machine's own.
    """
    text = series.study_time.split(".")[0].replace(":", "")
    try:
        naive = datetime.combine(day, datetime.strptime(text.ljust(6, "0")[:6], "%H%M%S").time())
    except ValueError:
        naive = datetime.combine(day, datetime.min.time()) + timedelta(hours=12)
    if not text:
        naive = naive.replace(hour=12)
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
