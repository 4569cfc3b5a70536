"""Incidents: what is wrong, what helps, and who looks after it. Page and API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict

from qagate.domain.person import Permission, Person
from qagate.store import alerts, audit
from qagate.web.access import needs
from qagate.web.pages import templates
from qagate.web.problem import told
from qagate.web.reading import database_of, now

router = APIRouter(prefix="/api/v1", tags=["alerts"])
page = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

HELP = {
    "parked": "What was to be sent is kept. Deliveries say why, and try again what a destination did not take.",
    "standstill": "What was to be sent is kept. Is the destination there? Do `qagate forward` and `work` run?",
    "unpromised": "Nothing is lost: the images are here and there. Scanners that ask are told no until it promises.",
    "worker": "Reception and deadlines go on without it. See the log of `qagate work`; `qagate check` tries the model.",
    "spool": "What is here is safe. Look at the mount, the inodes and the quota of the spool; it goes on by itself.",
    "left_out": "Send these objects to the PACS by hand until it is mended: they lie in the spool, which keeps them.",
    "disk": "What is here is safe. Free space on the disk of the spool, or lower storage.keep_days.",
    "burst": "Look at the series and at the trend of this scanner: did the scanner, the protocol or the model change?",
    "unscored": "Look at the reasons: localisers and derived images need not be sent; else the tags may have changed.",
}
"""Kind of an incident → what a person can do."""

LOOK_AT = {"burst": "flagged", "unscored": "unscored"}
"""Kind of an incident of a scanner → the verdicts that it is about."""


class Alert(BaseModel):
    """One incident. closed_at: null while it lasts."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    scanner: str
    words: str
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    acknowledged_at: datetime | None


@router.get("/alerts", responses=told(401, 403), dependencies=[Depends(needs(Permission.READ))])
def list_alerts(request: Request) -> list[Alert]:
    """List incidents: those that last first, then the latest, 200 at most."""
    with database_of(request).read() as session:
        return [Alert.model_validate(row) for row in alerts.listed(session)]


@page.get("/alerts")
def alerts_page(request: Request, person: Annotated[Person, Depends(needs(Permission.READ))]) -> Response:
    """Show what is wrong now and what was, and let those who may say that they look after it."""
    with database_of(request).read() as session:
        found = alerts.listed(session)
    context = {
        "open": [row for row in found if row.closed_at is None],
        "over": [row for row in found if row.closed_at is not None],
        "help": HELP,
        "look_at": LOOK_AT,
        "may_tune": person.may(Permission.TUNE),
        "told": bool(request.app.state.settings.alerts.urls),
    }
    return templates.TemplateResponse(request, "alerts.html", context)


@router.post("/alerts/{alert_id}/acknowledge", responses=told(401, 403, 404, 422))
def acknowledge(
    request: Request,
    alert_id: Annotated[int, PathParameter(ge=1, le=2**31 - 1)],
    person: Annotated[Person, Depends(needs(Permission.TUNE))],
) -> Alert:
    """Say, once for everybody, that somebody looks after it: no more messages until it is over."""
    with database_of(request).begin() as session:
        row = alerts.acknowledge(session, alert_id, by=person.name, at=now(request))
        if row is None:
            raise HTTPException(404, f"there is no such alert, got {alert_id}")
        audit.record(session, person.name, "alert_acknowledged", "", row.words, now(request))
        return Alert.model_validate(row)
