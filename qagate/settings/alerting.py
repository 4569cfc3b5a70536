"""Settings of alerts: who is told, when, and from what on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_serializer

from qagate.settings.base import Hours, Minutes, Tree

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Alerts(Tree):
    """Messages to people when something is wrong: one for each incident. No patient data stands in them."""

    urls: tuple[str, ...] = Field(
        (), description="where they go, as apprise writes it: mailto://..., json://..., msteams://..., slack://..."
    )
    scanners: tuple[str, ...] = Field((), description="scanners they are about; all when empty")
    quiet_from: Clock | None = Field(
        None, description="from this time of day, by the clock of the machine, nothing is sent, like 22:00"
    )
    quiet_until: Clock | None = Field(None, description="until this time of day; what happened meanwhile is told then")
    flagged_of_last: Annotated[int, Field(ge=5, le=200)] = Field(
        20, description="how many of a scanner's last series are looked at for too many flagged ones"
    )
    flagged_share: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="share of them that is too much")
    disk_reserves: Annotated[float, Field(ge=1)] = Field(3, description="times storage.reserve_mb that should be free")

    standstill_minutes: Minutes = Field(
        15, description="how long what is due may wait for a destination that does not take it, or that nobody sends to"
    )

    unpromised_hours: Hours = Field(
        24, description="how long a destination with commitment may let us wait for its promise to keep what it took"
    )

    @field_serializer("urls", when_used="json")
    def _without_secrets(self, urls: tuple[str, ...]) -> tuple[str, ...]:
        # a password or the key of a hook stands in most of them, and JSON of settings lies in backups
        return tuple(f"{url.partition(':')[0]}:(left out)" for url in urls)
