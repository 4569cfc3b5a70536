"""Exports: what is downloaded as CSV, by people into a spreadsheet and by programs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from qagate.domain.spreadsheet import MARK, Separator

CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
"""What a route answers, for its description."""

Separated = Annotated[
    Separator, Field(description="semicolon: for spreadsheets in languages that write 1,5; numbers then have a comma")
]
"""What stands between the cells of an export."""


def attached(name: str) -> dict[str, str]:
    """Return the headers of a file to be kept under a name."""
    return {"Content-Disposition": f'attachment; filename="qagate-{name}"'}


def streamed(request: Request, lines: Iterator[str], name: str) -> StreamingResponse:
    """Return lines of CSV as a file, with the mark that spreadsheets need where a browser asks (it wants text/html).

    A link with the attribute `download` does not say what it wants, and needs none: the file is an attachment anyway.
    The first part is made before the answer begins, so that a fault of the database is still a 503.
    """
    first = next(lines, "")
    mark = MARK if "text/html" in request.headers.get("accept", "") else ""
    headers = {**attached(name), "Vary": "Accept"}
    return StreamingResponse(chain([mark + first], lines), media_type="text/csv", headers=headers)
