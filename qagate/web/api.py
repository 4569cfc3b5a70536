"""The JSON API, version 1."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from qagate.settings import Settings
from qagate.store import worklist
from qagate.store.database import Database
from qagate.store.worklist import Filter
from qagate.web import views

router = APIRouter(prefix="/api/v1", tags=["series"])

Uid = Annotated[str, PathParameter(pattern=r"^[0-9.]{1,64}$", description="Series Instance UID")]


class Problem(BaseModel):
    """The one shape of every error."""

    detail: Any = Field(description="what is wrong, and with which value")


class SeriesList(BaseModel):
    """One page of series, the latest first."""

    total: int
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


@router.get("/series", responses={422: {"model": Problem}})
def list_series(
    request: Request,
    verdict: Literal["accept", "review", "reject", "unscored", "flagged", ""] = "",
    modality: Annotated[str, Query(max_length=16)] = "",
    state: Literal["receiving", "queued", "scored", "delivered", "excluded", "failed", ""] = "",
    ae_title: Annotated[str, Query(max_length=16)] = "",
    text: Annotated[str, Query(max_length=64, description="part of description, protocol, accession, or a UID")] = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> SeriesList:
    """List series, the latest first."""
    wanted = Filter(verdict, modality, state, ae_title, text, aware(since), aware(until))
    with database_of(request).begin() as session:
        total = worklist.count(session, wanted)
        rows = worklist.listing(session, wanted, limit=limit, offset=offset)
        return SeriesList(total=total, limit=limit, offset=offset, series=[views.summary(row) for row in rows])


@router.get("/series/{uid}", responses={404: {"model": Problem}, 422: {"model": Problem}})
def one_series(request: Request, uid: Uid) -> dict[str, Any]:
    """Return everything about one series: revisions, assessments, documents, deliveries, trail."""
    found = whole_series(database_of(request), uid)
    if found is None:
        raise HTTPException(404, f"there is no series with this UID, got {uid}")
    return found


@router.get(
    "/series/{uid}/pictures/{volume}/{index}",
    response_class=FileResponse,
    responses={404: {"model": Problem}, 422: {"model": Problem}},
)
def picture(
    request: Request,
    uid: Uid,
    volume: Annotated[int, PathParameter(ge=0, le=100_000)],
    index: Annotated[int, PathParameter(ge=0, le=1_000_000)],
) -> FileResponse:
    """Return the grey picture of one slice (0-based) of one volume of the latest judged revision."""
    settings: Settings = request.app.state.settings
    path = _preview(settings, database_of(request), uid, volume, index)
    if path is None:
        raise HTTPException(404, f"there is no picture of this slice, got volume {volume}, slice {index}")
    return FileResponse(path, media_type="image/png")


@router.get("/account", responses={422: {"model": Problem}})
def account(request: Request, since: datetime | None = None, until: datetime | None = None) -> Account:
    """Say where every series of a period is."""
    with database_of(request).begin() as session:
        found = worklist.account(session, since=aware(since), until=aware(until))
    names = (name for name in Account.model_fields)
    return Account(**{name: getattr(found, name) for name in names})


def whole_series(database: Database, uid: str) -> dict[str, Any] | None:
    """Return one series with all its revisions, newest first; None when it is not known."""
    with database.begin() as session:
        row = worklist.series(session, uid)
        if row is None:
            return None
        return {
            **views.summary(row),
            "revisions": [
                views.revision(
                    revision,
                    worklist.assessments(session, revision.id),
                    worklist.documents(session, revision.id),
                )
                for revision in worklist.revisions(session, uid)
            ],
            "events": [views.event(event) for event in worklist.events(session, uid)],
        }


def pictures(settings: Settings, database: Database, uid: str) -> dict[int, list[int]]:
    """Return volume index → slices (0-based) of which the latest judged revision has pictures."""
    folder = _previews_folder(settings, database, uid)
    found: dict[int, list[int]] = {}
    for path in sorted(folder.glob("*-*.png")) if folder else []:
        volume, _, index = path.stem.partition("-")
        if volume.isdigit() and index.isdigit():
            found.setdefault(int(volume), []).append(int(index))
    return found


def _previews_folder(settings: Settings, database: Database, uid: str) -> Path | None:
    with database.begin() as session:
        for revision in worklist.revisions(session, uid):
            folder = settings.previews_dir / str(revision.id)
            if folder.is_dir():
                return folder
    return None


def _preview(settings: Settings, database: Database, uid: str, volume: int, index: int) -> Path | None:
    folder = _previews_folder(settings, database, uid)
    path = folder / f"{volume}-{index}.png" if folder else None
    return path if path and path.is_file() else None


def database_of(request: Request) -> Database:
    """Return the database of the running application."""
    database: Database = request.app.state.database
    return database


def aware(value: datetime | None) -> datetime | None:
    """Return a time with a zone: the machine's own when it was given without."""
    return value.astimezone() if value is not None else None
