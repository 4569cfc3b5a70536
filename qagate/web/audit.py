"""The audit trail, for those who administer: a page, JSON and CSV."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from qagate.domain.audit import Act
from qagate.domain.person import Permission, Person
from qagate.domain.spreadsheet import Separator, write
from qagate.store import audit
from qagate.store.audit import Search
from qagate.store.database import Database
from qagate.store.tables import AuditRow
from qagate.web.access import needs, note
from qagate.web.asked import Day, Long, Word, span
from qagate.web.export import CSV, Separated, streamed
from qagate.web.pages import templates
from qagate.web.problem import told
from qagate.web.reading import database_of

Admin = Annotated[Person, Depends(needs(Permission.ADMINISTER))]
COLUMNS = ("at", "who", "what", "series_instance_uid", "detail", "address")
PAGE = 100
EXPORT_PAGE = 1000

api = APIRouter(prefix="/api/v1", tags=["audit"])
pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class AskedAudit(BaseModel):
    """Which acts; an empty value does not narrow."""

    model_config = ConfigDict(frozen=True)

    who: Long = Field("", description="name, or name/token")
    what: Word = Field("", description="what they did")
    series: Word = Field("", description="Series Instance UID")
    date: Day = Field("", description="today, yesterday, week, or like 2026-11-22")

    def wanted(self) -> Search:
        """Return the search for the database."""
        since, until = span(self.date)
        return Search(self.who, self.what, self.series, since, until)

    def words(self) -> str:
        """Return what was asked for, for the trail itself and for addresses."""
        return urlencode({name: value for name in AskedAudit.model_fields if (value := getattr(self, name))})


class AskedExport(AskedAudit):
    """The same, and how the file is written."""

    separator: Separated = "comma"


class AskedPage(AskedAudit):
    """The same, and which part of it."""

    before: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="number of the last act before this part")] = (
        None
    )


class OneAct(BaseModel):
    """What somebody saw or did."""

    number: int
    at: datetime
    who: str
    what: str
    series_instance_uid: str
    detail: str
    address: str


class Acts(BaseModel):
    """A part of the trail, the latest first; before: ask with it for the next part, null at the end."""

    total: int
    acts: list[OneAct]
    before: int | None


@api.get("/audit", responses=told(422))
def read_audit(request: Request, asked: Annotated[AskedPage, Query()], person: Admin) -> Acts:
    """List who saw and did what, the latest first, 100 at a time."""
    note(request, Act.AUDIT_READ, detail=asked.words())
    rows, total = _rows(request, asked)
    last = rows[-1].id if len(rows) == PAGE else None
    return Acts(total=total, acts=[OneAct(number=row.id, **_line(row)) for row in rows], before=last)


@api.get("/audit.csv", response_class=StreamingResponse, responses={**told(422), **CSV})
def export_audit(request: Request, asked: Annotated[AskedExport, Query()], person: Admin) -> StreamingResponse:
    """Return who saw and did what as CSV (UTF-8), the latest first."""
    note(request, Act.AUDIT_READ, detail=f"csv {asked.words()}".strip())
    return streamed(request, _lines(database_of(request), asked.wanted(), asked.separator), "audit.csv")


@pages.get("/audit")
def audit_page(request: Request, asked: Annotated[AskedPage, Query()], person: Admin) -> Response:
    """Show who saw and did what."""
    if asked.before is None:
        note(request, Act.AUDIT_READ, detail=asked.words())
    rows, total = _rows(request, asked)
    with database_of(request).read() as session:
        words = audit.words(session)
    context = {"asked": asked, "rows": rows, "total": total, "words": words, "page": PAGE}
    return templates.TemplateResponse(request, "audit.html", context)


def _rows(request: Request, asked: AskedPage) -> tuple[list[AuditRow], int]:
    with database_of(request).read() as session:
        wanted = asked.wanted()
        return list(audit.listing(session, wanted, limit=PAGE, before=asked.before)), audit.count(session, wanted)


def _line(row: AuditRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def _lines(database: Database, wanted: Search, separator: Separator) -> Iterator[str]:
    last: int | None = None
    while True:
        text = io.StringIO()
        if last is None:
            write(text, [COLUMNS], separator=separator)
        with database.read() as session:
            rows = audit.listing(session, wanted, limit=EXPORT_PAGE, before=last)
        lines = ((_line(row) | {"at": row.at.isoformat()}).values() for row in rows)
        write(text, lines, separator=separator)
        yield text.getvalue()
        if len(rows) < EXPORT_PAGE:
            return
        last = rows[-1].id
