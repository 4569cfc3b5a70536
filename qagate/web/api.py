"""The JSON API, version 1."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from qagate.domain.audit import Act
from qagate.domain.person import Permission
from qagate.domain.spreadsheet import Separator, write
from qagate.store import lists, worklist
from qagate.store.filter import Filter
from qagate.store.places import MOST_COUNTED
from qagate.store.tables import SeriesRow
from qagate.web import veil
from qagate.web.access import needs, note
from qagate.web.asked import Asked
from qagate.web.export import CSV, Separated, streamed
from qagate.web.problem import told
from qagate.web.reading import Uid, aware, database_of, whole_series

router = APIRouter(prefix="/api/v1", tags=["series"], dependencies=[Depends(needs(Permission.READ))])

EXPORTED = (
    "series_instance_uid", "study_instance_uid", "verdict", "word", "score", "interval_low", "interval_high", "reason",
    "state", "state_reason", "modality", "regions", "organ", "sequence", "series_description", "protocol_name",
    "station_name", "device", "calling_ae_title", "accession_tail", "instances", "revision", "first_instance_at",
    "last_instance_at", "verdict_at", "seconds_to_verdict", "review_state", "hidden",
)  # fmt: skip
"""Columns of the CSV export."""

EXPORT_PAGE = 500
EXPORT_MOST = 100_000


class AskedByProgram(Asked):
    """The filters of the worklist, and those that only programs need."""

    state: Literal["receiving", "queued", "scored", "delivered", "excluded", "failed", ""] = ""
    ae_title: Annotated[str, Field(max_length=16, pattern=r"^[^\x00]*$", description="calling AE title")] = ""
    since: datetime | None = Field(None, description="first time of the last image")
    until: datetime | None = Field(None, description="time before which the last image came")
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0

    def wanted(self) -> Filter:
        """Return the filter for the database."""
        asked = super().wanted()
        return replace(
            asked,
            state=self.state,
            calling_ae_title=self.ae_title,
            since=aware(self.since) or asked.since,
            until=aware(self.until) or asked.until,
        )


class AskedExport(Asked):
    """The filters of the worklist, and how the file is written."""

    separator: Separated = "comma"


class SeriesList(BaseModel):
    """One page of series, the latest first."""

    total: int = Field(description=f"how many match, counted up to {MOST_COUNTED}")
    limit: int
    offset: int
    series: list[dict[str, Any]]


class Account(BaseModel):
    """received = accepted + flagged + unscored + excluded + failed + pending + unaccounted."""

    received: int
    accepted: int
    flagged: int
    unscored: int
    excluded: int
    failed: int
    pending: int
    unaccounted: int


@router.get("/series", responses=told(422))
def list_series(request: Request, asked: Annotated[AskedByProgram, Query()]) -> SeriesList:
    """List series, the latest first; a verdict that people are to judge blind (hidden) comes to tokens alone."""
    wanted = veil.narrowed(request, asked.wanted())
    with database_of(request).read() as session:
        total = lists.count(session, wanted)
        rows = lists.listing(
            session,
            wanted,
            limit=asked.limit,
            offset=asked.offset,
            flagged_first=asked.order == "flagged",
            veiled=veil.drawn(request),
        )
        found = veil.shown(request, session, rows)
    return SeriesList(total=total, limit=asked.limit, offset=asked.offset, series=found)


@router.get("/series.csv", response_class=StreamingResponse, responses={**told(422), **CSV})
def export_series(request: Request, asked: Annotated[AskedExport, Query()]) -> StreamingResponse:
    """Return the listed series as CSV (UTF-8), the latest first, 100 000 at most."""
    note(request, Act.LIST_EXPORTED, detail=" ".join(name for name in Asked.model_fields if getattr(asked, name)))
    wanted = veil.narrowed(request, asked.wanted())  # the trail does not tell what was searched
    return streamed(request, _lines(request, wanted, asked.separator), "series.csv")


def _lines(request: Request, wanted: Filter, separator: Separator) -> Iterator[str]:
    for number in range(0, EXPORT_MOST, EXPORT_PAGE):
        text = io.StringIO()
        if number == 0:
            write(text, [EXPORTED], separator=separator)
        with database_of(request).read() as session:
            rows = lists.listing(session, wanted, limit=EXPORT_PAGE)
            shown = veil.shown(request, session, rows)
        for row in shown:
            low, high = row["interval"] or (None, None)
            row |= {"interval_low": low, "interval_high": high, "regions": " ".join(row["regions"])}
            write(text, [[row[name] for name in EXPORTED]], separator=separator)
        yield text.getvalue()
        if len(rows) < EXPORT_PAGE:
            return
        wanted = _further(wanted, rows)


def _further(wanted: Filter, rows: Sequence[SeriesRow]) -> Filter:
    """Return what comes after these, by time and not by number: whatever arrives meanwhile moves nothing."""
    last = rows[-1].last_instance_at
    until = last + timedelta(microseconds=1)
    told = wanted.without if wanted.until == until else ()
    return replace(
        wanted,
        until=until,
        without=(*told, *(row.series_instance_uid for row in rows if row.last_instance_at == last)),
    )


@router.get("/series/{uid}", responses=told(404, 422))
def one_series(request: Request, uid: Uid) -> dict[str, Any]:
    """Return everything about one series: revisions, assessments, documents, deliveries, trail."""
    found = whole_series(database_of(request), uid)
    if found is None:
        raise HTTPException(404, f"there is no series with this UID, got {uid}")
    note(request, Act.SERIES_VIEWED, uid, "api")
    return veil.whole(request, found)


@router.get("/account", responses=told(422))
def account(request: Request, since: datetime | None = None, until: datetime | None = None) -> Account:
    """Say where every series of a period is; to people one whose verdict they are to judge blind is pending."""
    with database_of(request).read() as session:
        found = worklist.account(session, since=aware(since), until=aware(until), veiled=veil.drawn(request))
    return Account(**{name: getattr(found, name) for name in Account.model_fields})
