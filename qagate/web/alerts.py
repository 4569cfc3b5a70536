"""Incidents over the API: what is wrong, and who has seen it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict

from qagate.domain.person import Permission, Person
from qagate.store import alerts, audit
from qagate.web.access import needs
from qagate.web.problem import told
from qagate.web.reading import database_of, now

router = APIRouter(prefix="/api/v1", tags=["alerts"])


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
