"""Problem: the one shape of every error of the API. Source: RFC 9457."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

PROBLEM_TYPE = "application/problem+json"


class Problem(BaseModel):
    """The one shape of every error."""

    type: str = Field("about:blank", description="the status says what kind it is")
    title: str = Field(description="the status in words")
    status: int = Field(description="the status as a number")
    detail: str = Field(description="what is wrong, and with which value")


def problem(code: int, detail: str) -> dict[str, Any]:
    """Return one error."""
    return Problem(title=HTTPStatus(code).phrase, status=code, detail=detail).model_dump()


def told(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of errors for a route: each may want a login, refuse it, or lack its database."""
    return {code: {"model": Problem} for code in (401, 403, *codes, 503)}
