"""Settings of the people at the page: who may come in, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qagate.settings.base import Tree

RoleName = Literal["viewer", "reviewer", "physicist", "admin"]


class People(Tree):
    """The people at the page and programs at the API."""

    anonymous_role: RoleName | None = Field(
        None, description="role of everybody who has not logged in; nobody comes in without logging in when absent"
    )
    session_idle_minutes: Annotated[float, Field(gt=0)] = Field(
        120, description="minutes without a click after which a person must log in again"
    )
    session_hours: Annotated[float, Field(gt=0)] = Field(
        12, description="hours after which a person must log in again in any case"
    )
    password_min_length: Annotated[int, Field(ge=8, le=128)] = Field(
        12, description="characters a password has at least"
    )
