"""Reading: one series whole, out of the database, for the page and the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path as PathParameter
from fastapi import Request

from qagate.clock import Clock
from qagate.store import forwarding, holding, reviews, worklist
from qagate.store.database import Database
from qagate.web import views

Uid = Annotated[str, PathParameter(pattern=r"^[0-9.]{1,64}$", description="Series Instance UID")]


def database_of(request: Request) -> Database:
    """Return the database of the running application."""
    database: Database = request.app.state.database
    return database


def now(request: Request) -> datetime:
    """Return the time by the application's clock."""
    clock: Clock = request.app.state.clock
    return clock.now()


def aware(value: datetime | None) -> datetime | None:
    """Return a time with a zone: the machine's own when it was given without. Times beyond all calendars are cut."""
    if value is None:
        return None
    year = min(max(value.year, 1970), 9990)
    return value.replace(year=year, day=min(value.day, 28) if year != value.year else value.day).astimezone()


def whole_series(database: Database, uid: str) -> dict[str, Any] | None:
    """Return one series with all its revisions, newest first; None when it is not known."""
    with database.read() as session:
        row = worklist.series(session, uid)
        if row is None:
            return None
        return {
            **views.reviewed(row, reviews.of(session, [uid]).get(uid), veiled=False),
            "images": views.images(holding.get(session, uid), forwarding.counts(session, uid)),
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
