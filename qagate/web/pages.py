"""The pages people see: the worklist and one series."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates

from qagate.domain.audit import Act
from qagate.domain.person import Permission, Person
from qagate.settings import Settings
from qagate.store import alerts, holding, lists, neighbours, reconciliation, worklist
from qagate.store.database import Database
from qagate.store.filter import Filter
from qagate.web import stack, veil, words
from qagate.web.access import needs, note
from qagate.web.asked import Asked, span
from qagate.web.decisions import standing
from qagate.web.pictures import previews_folder, slices_pictured
from qagate.web.reading import Uid, database_of, whole_series
from qagate.work.previews import heatmap_path

PAGE_SIZE = 50
TABS = (
    ("todo", "To do"),
    ("review", "Look"),
    ("reject", "Bad"),
    ("unscored", "No score"),
    ("accept", "Good"),
    ("", "All"),
)
DATES = (("", "any day"), ("today", "today"), ("yesterday", "yesterday"), ("week", "last 7 days"))
PENDING = timedelta(days=1)
"""What waits for a person and is no older than this stands first; older flags are found under "to do"."""

VENDOR = Path(__file__).parent / "static" / "vendor"

templates = Jinja2Templates(Path(__file__).parent / "templates")
words.teach(templates)
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class Choices:
    """What a person can filter by, of the last 90 days; asked for once a minute."""

    SECONDS = 60.0
    DAYS = 90

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[str, list[str]] = {}
        self._until = 0.0

    def known(self) -> dict[str, list[str]]:
        """Return modality, organ, scanner and protocol → values."""
        with self._lock:
            if time.monotonic() >= self._until:
                with self._database.read() as session:
                    since = datetime.now(UTC) - timedelta(days=self.DAYS)
                    self._known = lists.choices(session, since=since)
                self._until = time.monotonic() + self.SECONDS
            return self._known


class AskedPage(Asked):
    """The worklist's filters and which page of it."""

    page: Annotated[int, Query(ge=1, le=200_000)] = 1


@router.get("/")
def worklist_page(
    request: Request, asked: Annotated[AskedPage, Query()], person: Annotated[Person, Depends(needs(Permission.READ))]
) -> Response:
    """Show the series: what waits for a person first, then the latest; filters live in the address."""
    context = _rows(request, asked, person)
    yesterday = span("yesterday")
    with database_of(request).read() as session:
        context["yesterday"] = worklist.account(
            session, since=yesterday[0], until=yesterday[1], veiled=veil.drawn(request)
        )
        context["reconciled"] = reconciliation.latest(session)
    choices = request.app.state.choices.known()
    context["choices"] = {
        name: sorted({*choices[name], *([getattr(asked, name)] if getattr(asked, name) else [])}) for name in choices
    }
    context["dates"] = [*DATES, *([(asked.date, asked.date)] if asked.date not in dict(DATES) else [])]
    return templates.TemplateResponse(request, "worklist.html", context)


@router.get("/rows")
def rows_fragment(
    request: Request,
    asked: Annotated[AskedPage, Query()],
    person: Annotated[Person, Depends(needs(Permission.READ, by_itself=True))],
) -> Response:
    """Return the worklist's counts and rows alone, for the page that keeps itself current; 304 when nothing changed."""
    with database_of(request).read() as session:
        state = neighbours.state_of_things(session)
    tag = f'W/"{state}-{datetime.now().astimezone():%d}"'  # "today" is another day tomorrow
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "no-cache"})
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    return templates.TemplateResponse(request, "rows.html", _rows(request, asked, person), headers=headers)


def _rows(request: Request, asked: AskedPage, person: Person) -> dict[str, Any]:
    settings: Settings = request.app.state.settings
    wanted = veil.narrowed(request, asked.wanted())
    with database_of(request).read() as session:
        part = {"limit": PAGE_SIZE + 1, "offset": (asked.page - 1) * PAGE_SIZE}  # one more tells of a next page
        if asked.order or asked.verdict == "todo":
            veiled = veil.drawn(request)
            rows = lists.listing(session, wanted, **part, flagged_first=asked.order == "flagged", veiled=veiled)
        else:
            rows = lists.pending_first(session, wanted, since=datetime.now(UTC) - PENDING, **part)
        uids = [row.series_instance_uid for row in rows[:PAGE_SIZE]]
        speakers = neighbours.speakers(session, uids)
        shown = veil.shown(request, session, rows[:PAGE_SIZE])
        counts = veil.counts(request, session, asked.wanted())
        todo = lists.count(session, replace(asked.wanted(), outcome="todo"))
        newest = lists.listing(session, Filter(), limit=1)
        incidents = alerts.unanswered(session)
        held = holding.waiting(session)
        last = newest[0].last_instance_at.isoformat() if newest else None
    everything = sum(counts.values())
    counts["flagged"] = counts.get("review", 0) + counts.get("reject", 0)
    counts["todo"] = todo
    total = counts.get(asked.verdict, 0) if asked.verdict else everything
    more = len(rows) > PAGE_SIZE
    for row in shown:
        judged = speakers.get(row["series_instance_uid"])
        row["thumbnails"] = (
            [
                f"/api/v1/thumbnails/{judged.revision_id}/{judged.volume_index}/{index}"
                for index in slices_pictured(settings.previews_dir / str(judged.revision_id), judged.volume_index)[:3]
            ]
            if judged
            else []
        )
    return {
        "asked": asked,
        "rows": shown,
        "total": total,
        "more": more,
        "page_size": PAGE_SIZE,
        "tabs": [(name, word, counts.get(name, 0) if name else everything) for name, word in TABS],
        "last": last,
        "incidents": incidents,
        "waiting": len(held),
        "released_next": held[0].until.isoformat() if held else "",
        "may_decide": person.may(Permission.DECIDE),
        "may_release_everything": person.may(Permission.ADMINISTER),
    }


@router.get("/series/{uid}")
def series_page(
    request: Request,
    uid: Uid,
    person: Annotated[Person, Depends(needs(Permission.READ))],
    volume: Annotated[int | None, Query(ge=0, le=100_000)] = None,
) -> Response:
    """Show one series: verdict, reasons, artefacts, slices, documents, trail."""
    database, settings = database_of(request), request.app.state.settings
    found = whole_series(database, uid)
    if found is None:
        raise HTTPException(404, f"there is no series with this UID, got {uid}")
    note(request, Act.SERIES_VIEWED, uid)
    found = veil.verdict(request, found)
    judged = next((r for r in found["revisions"] if r["assessments"]), None)
    assessment = stack.chosen(judged["assessments"], volume) if judged else None
    folder = previews_folder(settings, database, uid)
    with database.read() as session:
        row = worklist.series(session, uid)
        assert row is not None  # series are never deleted
        veiled = veil.drawn(request)
        study, alike = neighbours.same_study(session, row), neighbours.alike(session, row)
        beside = {
            "rank": neighbours.rank(session, row, veiled=veiled),
            "usual": neighbours.usual(session, row, veiled=veiled),
            "study": veil.shown(request, session, study),
            "alike": veil.shown(request, session, alike),
        }
    hidden = found["hidden"]
    index = assessment["source"]["volume_index"] if assessment else 0
    shown = slices_pictured(folder, index) if folder and assessment and not hidden else []
    warm = bool(folder and not hidden and heatmap_path(folder, index).is_file())
    context = {
        "s": found,
        "judged": judged,
        "a": assessment,
        "pictures": shown,
        "curve": stack.curve(assessment) if assessment and not hidden else None,
        "viewer": stack.viewer(uid, assessment, there=(VENDOR / "niivue.js").is_file(), warm=warm, hidden=hidden)
        if assessment
        else None,
        "stands": standing(request, uid),
        "may_decide": person.may(Permission.DECIDE),
        "undoes_all": person.may(Permission.ADMINISTER),
        "undo_from": datetime.now(UTC) - timedelta(minutes=settings.review.undo_minutes),
        **beside,
    }
    return templates.TemplateResponse(request, "series.html", context)
