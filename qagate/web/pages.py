"""The pages people see: the worklist and one series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates

from qagate.domain.assessment import severity_of
from qagate.domain.verdict import WORDS
from qagate.store import worklist
from qagate.store.worklist import Filter
from qagate.web import api, views
from qagate.web.api import Uid, database_of

PAGE_SIZE = 50

SHAPES = {"accept": "●", "review": "▲", "reject": "⬣", "unscored": "◌"}

templates = Jinja2Templates(Path(__file__).parent / "templates")
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def ago(iso: str | None) -> str:
    """Return a time as people say it: relative up to an hour, then absolute with its zone."""
    if not iso:
        return ""
    moment = datetime.fromisoformat(iso)
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if 0 <= seconds < 60:
        return f"{seconds:.0f} s ago"
    if 0 <= seconds < 3600:
        return f"{seconds / 60:.0f} min ago"
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


templates.env.filters["ago"] = ago
templates.env.filters["grade"] = severity_of
templates.env.globals.update(SHAPES=SHAPES, WORDS={str(k): v for k, v in WORDS.items()}, STATE_WORDS=views.STATE_WORDS)


@router.get("/")
def worklist_page(
    request: Request,
    verdict: Literal["accept", "review", "reject", "unscored", "flagged", ""] = "",
    modality: Annotated[str, Query(max_length=16)] = "",
    text: Annotated[str, Query(max_length=64)] = "",
    page: Annotated[int, Query(ge=1, le=200_000)] = 1,
) -> Response:
    """Show the series, the latest first; filters live in the address."""
    wanted = Filter(outcome=verdict, modality=modality, text=text)
    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    with database_of(request).begin() as session:
        rows = worklist.listing(session, wanted, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)
        context: dict[str, Any] = {
            "rows": [views.summary(row) for row in rows],
            "total": worklist.count(session, wanted),
            "counts": {
                name: worklist.count(session, Filter(outcome=name, modality=modality, text=text))
                for name in ("flagged", "accept", "unscored", "")
            },
            "today": worklist.account(session, since=today),
            "yesterday": worklist.account(session, since=today - timedelta(days=1), until=today),
        }
    context |= {
        "verdict": verdict,
        "modality": modality,
        "text": text,
        "page": page,
        "pages": -(-context["total"] // PAGE_SIZE),
    }
    context["address"] = lambda **changes: (
        "/?"
        + urlencode(
            {
                k: v
                for k, v in {"verdict": verdict, "modality": modality, "text": text, "page": 1, **changes}.items()
                if v and v != 1
            }
        )
    )
    template = "rows.html" if request.headers.get("HX-Request") else "worklist.html"
    return templates.TemplateResponse(request, template, context)


@router.get("/series/{uid}")
def series_page(request: Request, uid: Uid) -> Response:
    """Show one series: verdict, reasons, artefacts, slices, documents, trail."""
    database = database_of(request)
    found = api.whole_series(database, uid)
    if found is None:
        raise HTTPException(404, f"there is no series with this UID, got {uid}")
    pictures = api.pictures(request.app.state.settings, database, uid)
    judged = next((r for r in found["revisions"] if r["assessments"]), None)
    return templates.TemplateResponse(request, "series.html", {"s": found, "judged": judged, "pictures": pictures})
