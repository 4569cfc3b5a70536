"""What all settings are made of: frozen trees that refuse unknown keys, and the values with their ranges."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# spaces around it are padding, PS3.5 6.2
AeTitle = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")
]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=31_536_000)]
Patience = Annotated[float, Field(gt=0, le=86400)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
# a thousand years at most: a time beyond the calendar is no time, and every look at it would fail. Not less, because
# sites write 99999 for "for ever"
Days = Annotated[float, Field(ge=0, le=365_000)]
Hours = Annotated[float, Field(gt=0, le=8_760_000)]
Minutes = Annotated[float, Field(ge=0, le=525_600_000)]


class Tree(BaseModel):
    """One section."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
