"""Trends: what each scanner does over time, for the page and for programs. Nothing in it tells of a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from qagate.domain import measurement
from qagate.domain.curve import Daily, Rate, daily, rate, switches, weekly
from qagate.domain.person import Permission, Person
from qagate.domain.trend import BASELINE, ENOUGH
from qagate.store import audit, trends
from qagate.store.tables import AnnotationRow
from qagate.store.trends import Point
from qagate.web import veil
from qagate.web.access import needs
from qagate.web.asked import Long, Word
from qagate.web.pages import templates
from qagate.web.problem import told
from qagate.web.reading import database_of, now

router = APIRouter(tags=["trends"])

MOST_ROWS = 60
"""Scanners times protocols on the overview; those with most series come first."""

MAIN_MEASURES = ("physics:noise_hu", "physics:noise_soft_tissue", "physics:snr", "attribute:noise", "attribute:motion")
"""Shown first when they are there; the others follow by name."""


class AskedTrends(BaseModel):
    """Which part of the trends is asked for."""

    days: Annotated[int, Field(ge=7, le=1100, description="how far back")] = 90
    scanner: Word = Field("", description="station name, else calling AE title")
    protocol: Long = Field("", description="protocol name, else series description")
    organ: Word = Field("", description="organ, else region")
    modality: Word = Field("", description="as in DICOM")

    def since(self, at: datetime) -> datetime:
        """Return the first moment."""
        return at - timedelta(days=self.days)


class Note(BaseModel):
    """What a person notes beside the curves."""

    scanner: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
    protocol: Long = Field("", description="empty: all protocols of the scanner")
    day: date
    words: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    restarts: bool = Field(False, description="limits are learnt anew from this day")


class Noted(BaseModel):
    """A note that was kept."""

    id: int


@router.get("/trends", response_class=HTMLResponse, include_in_schema=False)
def trends_page(
    request: Request,
    asked: Annotated[AskedTrends, Query()],
    person: Annotated[Person, Depends(needs(Permission.READ))],
) -> Response:
    """Show the overview, or one scanner with one protocol in full."""
    found = _one(request, asked) if asked.scanner and asked.protocol else _overview(request, asked)
    context = {"asked": asked, "t": found, "may_note": person.may(Permission.TUNE)}
    context["today"] = now(request).astimezone().date()
    template = "trend.html" if asked.scanner and asked.protocol else "trends.html"
    return templates.TemplateResponse(request, template, context)


@router.get("/api/v1/trends", responses=told(401, 403, 422), dependencies=[Depends(needs(Permission.READ))])
def trends_overview(request: Request, asked: Annotated[AskedTrends, Query()]) -> dict[str, Any]:
    """Return a summary with score curve for each scanner and protocol."""
    return _overview(request, asked)


@router.get("/api/v1/trend", responses=told(401, 403, 422), dependencies=[Depends(needs(Permission.READ))])
def one_trend(request: Request, asked: Annotated[AskedTrends, Query()]) -> dict[str, Any]:
    """Return all curves of a selection, drawn as one: usually one scanner with one protocol."""
    return _one(request, asked)


@router.post("/api/v1/annotations", status_code=201, responses=told(401, 403, 422))
def annotate(request: Request, note: Note, person: Annotated[Person, Depends(needs(Permission.TUNE))]) -> Noted:
    """Keep a note beside the curves of a scanner, "tube replaced"; it may start its limits anew."""
    at = now(request)
    day = datetime.combine(note.day, datetime.min.time(), UTC)
    with database_of(request).begin() as session:
        key = trends.annotate(
            session, day=day, scanner=note.scanner, protocol=note.protocol, words=note.words, restarts=note.restarts,
            by=person.name, at=at,
        )  # fmt: skip
        audit.record(session, person.name, "annotated", "", f"{note.scanner} {note.day}: {note.words}", at)
    return Noted(id=key)


@router.delete("/api/v1/annotations/{annotation_id}", status_code=204, responses=told(401, 403, 404, 422))
def remove_annotation(
    request: Request,
    annotation_id: Annotated[int, PathParameter(ge=1, le=2**31 - 1)],
    person: Annotated[Person, Depends(needs(Permission.TUNE))],
) -> None:
    """Take a note away; the audit trail keeps its words."""
    with database_of(request).begin() as session:
        gone = trends.remove(session, annotation_id)
        if gone is None:
            raise HTTPException(404, f"there is no such note, got {annotation_id}")
        audit.record(session, person.name, "annotation_removed", "", f"{gone.scanner}: {gone.words}", now(request))


def _overview(request: Request, asked: AskedTrends) -> dict[str, Any]:
    with database_of(request).read() as session:
        found = _points(request, session, asked, now(request))
        notes = _notes(session, asked, now(request))
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in found:
        groups.setdefault((point.scanner, point.protocol), []).append(point)
    largest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_ROWS]
    rows = []
    for (scanner, protocol), points in sorted(largest):
        curve = _scores(points, notes)
        rows.append(
            {
                "scanner": scanner,
                "protocol": protocol,
                "modality": points[-1].modality,
                "number": len(points),
                "score": curve.medians[-1] if curve.medians else None,
                "flagged": _rate(_overall((p.at, p.flagged) for p in points)),
                "repeated": _rate(_overall((p.at, p.repeated) for p in points)),
                "seconds_to_verdict": _middle([p.seconds_to_verdict for p in points]),
                "drifts": curve.chart.drifts,
                "changes": _changes(curve),
                "curve": _curve(curve),
            }
        )
    return {"days": asked.days, "groups": len(groups), "enough": ENOUGH, "rows": rows}


def _overall(hits: Iterable[tuple[datetime, bool]]) -> Rate:
    """Return the rate over the whole time."""
    found = [hit for _, hit in hits]
    return rate(date.min, sum(found), len(found))


def _one(request: Request, asked: AskedTrends) -> dict[str, Any]:
    at = now(request)
    with database_of(request).read() as session:
        points = _points(request, session, asked, at)
        notes = _notes(session, asked, at)
        measured = trends.measures(
            session, since=asked.since(at), scanner=asked.scanner, protocol=asked.protocol, veiled=veil.drawn(request)
        )
    score = _scores(points, notes)
    by_name: dict[str, list[tuple[datetime, float]]] = {}
    for time, name, value in measured:
        by_name.setdefault(name, []).append((time, value))
    starts = _starts(points, notes)
    ordered = sorted(by_name, key=lambda name: (MAIN_MEASURES.index(name) if name in MAIN_MEASURES else 99, name))
    return {
        "scanner": asked.scanner,
        "protocol": asked.protocol,
        "days": asked.days,
        "number": len(points),
        "enough": ENOUGH,
        "baseline": BASELINE,
        "score": {**_curve(score), "changes": _changes(score), "drifts": score.chart.drifts},
        "measures": [
            {"name": name, "title": measurement.words(name.partition(":")[2]), "kind": name.partition(":")[0],
             **_curve(curve), "changes": _changes(curve), "drifts": curve.chart.drifts}
            for name in ordered
            for curve in (daily(by_name[name], starts),)
        ],
        "flagged": [_rate(one) for one in weekly((p.at, p.flagged) for p in points)],
        "repeated": [_rate(one) for one in weekly((p.at, p.repeated) for p in points)],
        "unscored": [_rate(one) for one in weekly((p.at, p.outcome == "unscored") for p in points)],
        "seconds_to_verdict": _curve(daily((p.at, p.seconds_to_verdict) for p in points)),
        "judged_by": [{"day": _stamp(day), "date": day.isoformat(), "name": name} for day, name in _switches(points)],
        "notes": [
            {"id": one.id, "day": _stamp(one.at.date()), "date": one.at.date().isoformat(), "words": one.words,
             "restarts": one.restarts}
            for one in notes
        ],
    }  # fmt: skip


def _points(request: Request, session: Session, asked: AskedTrends, at: datetime) -> list[Point]:
    return trends.points(
        session, since=asked.since(at), scanner=asked.scanner, protocol=asked.protocol, organ=asked.organ,
        modality=asked.modality, veiled=veil.drawn(request),
    )  # fmt: skip


def _notes(session: Session, asked: AskedTrends, at: datetime) -> list[AnnotationRow]:
    found = trends.notes(session, since=asked.since(at), scanner=asked.scanner)
    return [one for one in found if not asked.protocol or one.protocol in ("", asked.protocol)]


def _switches(points: Iterable[Point]) -> tuple[tuple[date, str], ...]:
    return switches((point.at, point.judged_by) for point in points if point.score is not None)


def _starts(points: list[Point], notes: list[AnnotationRow]) -> list[date]:
    """Return the days from which limits are learnt anew: another judge, or a note that says so."""
    concerned = {(point.scanner, point.protocol) for point in points}
    restarts = [
        note.at.date()
        for note in notes
        if note.restarts and any(note.scanner == s and note.protocol in ("", p) for s, p in concerned)
    ]
    return [*(day for day, _ in _switches(points)), *restarts]


def _scores(points: list[Point], notes: list[AnnotationRow]) -> Daily:
    return daily(((p.at, p.score) for p in points if p.score is not None), _starts(points, notes))


def _curve(curve: Daily) -> dict[str, Any]:
    return {
        "days": [_stamp(day) for day in curve.days],
        "medians": _rounded(curve.medians),
        "numbers": list(curve.numbers),
        "average": _rounded(curve.chart.average),
        "low": _rounded(curve.chart.low),
        "high": _rounded(curve.chart.high),
    }


def _changes(curve: Daily) -> list[dict[str, Any]]:
    return [
        {"seen": _stamp(seen), "began": _stamp(began), "date": began.isoformat(), "direction": "up" if up else "down"}
        for seen, began, up in curve.changed_on
    ]


def _rate(one: Rate) -> dict[str, Any]:
    interval = [round(bound, 4) for bound in one.interval] if one.interval else None
    return {
        "week": _stamp(one.week) if one.week != date.min else None,
        "hits": one.hits if one.rate is not None else None,
        "number": one.number,
        "rate": None if one.rate is None else round(one.rate, 4),
        "interval": interval,
    }


def _middle(values: list[float]) -> float | None:
    return round(sorted(values)[len(values) // 2], 1) if values else None


def _rounded(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.5g}") for value in values]


def _stamp(day: date) -> int:
    return int(datetime.combine(day, datetime.min.time(), UTC).timestamp())
