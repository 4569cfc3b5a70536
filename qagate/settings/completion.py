"""Settings of completion: when a series counts as complete, and what is done about images that are missing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from qagate.settings.base import Seconds, Tree


class Completion(Tree):
    """When a series counts as complete."""

    quiet_seconds: Seconds = Field(10, description="quiet time after the association that carried it closed")
    open_quiet_seconds: Seconds = Field(30, description="quiet time while an association is still open")
    early: bool = Field(
        False, description="judge at the close of the association when the slices are numbered and placed without a gap"
    )
    ahead: bool = Field(
        True, description="judge a series during its quiet time, when nothing else waits: its verdict is there at once"
    )
    missing_seconds: Seconds = Field(
        60, description="how long images are waited for that the scanner or an archive says there are"
    )
    archive_seconds: Seconds = Field(
        20, description="how long an archive's answer is waited for (destinations with counts = true)"
    )
    retrieve_tries: Annotated[int, Field(ge=0, le=20)] = Field(
        3, description="how often missing images are retrieved (destinations with retrieve)"
    )
    retrieve_seconds: Seconds = Field(20, description="time between two tries")
