"""Problem: the one shape of every error of the API."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """The one shape of every error."""

    detail: str = Field(description="what is wrong, and with which value")


def told(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of errors for a route: every route may also say that the database is away."""
    return {code: {"model": Problem} for code in (*codes, 503)}
