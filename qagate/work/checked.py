"""What a look at one thing says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at."""

    what: str
    state: State
    detail: str
