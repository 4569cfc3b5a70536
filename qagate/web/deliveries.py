"""Deliveries: what did not reach its destination yet, why, and trying it again. Page and API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from qagate.domain.person import Permission, Person
from qagate.settings import Settings
from qagate.store import audit, giving_up, undelivered
from qagate.web import veil
from qagate.web.access import needs
from qagate.web.asked import Word
from qagate.web.pages import templates
from qagate.web.problem import told
from qagate.web.reading import database_of, now

router = APIRouter(prefix="/api/v1", tags=["deliveries"])
page = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Reader = Annotated[Person, Depends(needs(Permission.READ))]
Admin = Annotated[Person, Depends(needs(Permission.ADMINISTER))]
Name = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="our name for the destination")]
Destination = Annotated[Word, Query(description="of this destination only")]
MOST = 200


class Standing(BaseModel):
    """How much is not at a destination yet: numbers of documents and images."""

    name: str
    address: str
    known: bool = Field(description="whether the settings name it; nothing is sent to others")
    waiting: int = Field(description="planned, or tried and planned again")
    held: int = Field(description="images that a policy or a person holds")
    parked: int = Field(description="refused for good, unreadable here, or without a destination")


class OneUndelivered(BaseModel):
    """What of one series waits for one destination, alike in state."""

    model_config = ConfigDict(from_attributes=True)

    series_instance_uid: str
    series_description: str
    station_name: str
    destination: str
    what: str = Field(description="SR, SC, KO, or images")
    state: str = Field(description="planned, held, parked")
    number: int
    attempts: int
    next_attempt_at: datetime | None
    detail: str = Field(description="what the destination said last")


class Undelivered(BaseModel):
    """What did not reach its destination yet: parked first, 200 at most."""

    destinations: list[Standing]
    undelivered: list[OneUndelivered]


class TriedAgain(BaseModel):
    """How much was parked and is tried again."""

    tried_again: int


class WhyGivenUp(BaseModel):
    """Why a person gives up what is parked for a destination."""

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$", description="why")]


class GivenUp(BaseModel):
    """How much was given up: it is not sent any more, and no longer keeps the files of its series."""

    model_config = ConfigDict(from_attributes=True)

    series: int
    documents: int
    images: int


@router.get("/deliveries", responses=told(422))
def list_deliveries(request: Request, person: Reader, destination: Destination = "") -> Undelivered:
    """List what did not reach its destination yet: parked first, then by the time of the next try, 200 at most."""
    with database_of(request).read() as session:
        return Undelivered(
            destinations=_standings(request, session),
            undelivered=[OneUndelivered.model_validate(one) for one in _listed(request, session, destination)],
        )


@router.post("/deliveries/{destination}/again", responses=told(404, 422))
def try_again(request: Request, destination: Name, person: Admin) -> TriedAgain:
    """Try again at once what is parked for a destination, and what waits for its next try."""
    if destination not in _addresses(request.app.state.settings):
        raise HTTPException(404, f"the settings name no such destination, got {destination}")
    with database_of(request).begin() as session:
        number = undelivered.try_again(session, destination, at=now(request))
        said = f"{number} parked, {destination}"
        audit.record(session, person.name, "deliveries_tried_again", "", said, now(request))
    return TriedAgain(tried_again=number)


@router.post("/deliveries/{destination}/give-up", responses=told(404, 422))
def give_up(request: Request, destination: Name, why: WhyGivenUp, person: Admin) -> GivenUp:
    """Give up for good what is parked for a destination: it never comes back, or never takes it."""
    said = {"by": person.name, "why": why.reason.strip()}
    total = giving_up.give_up(database_of(request), destination, **said, at=now(request))
    if not total.series:
        raise HTTPException(404, f"nothing is parked for this destination, got {destination}")
    return GivenUp.model_validate(total)


@page.get("/deliveries")
def deliveries_page(request: Request, person: Reader, destination: Destination = "") -> Response:
    """Show what did not reach its destination yet, and let those who administer try it again."""
    with database_of(request).read() as session:
        context: dict[str, Any] = {
            "destinations": _standings(request, session),
            "asked": destination,
            "rows": _listed(request, session, destination),
            "most": MOST,
            "may_try": person.may(Permission.ADMINISTER),
        }
    return templates.TemplateResponse(request, "deliveries.html", context)


def _listed(request: Request, session: Session, destination: str) -> list[undelivered.Undelivered]:
    return veil.undelivered(request, session, undelivered.listed(session, destination=destination, limit=MOST))


def _standings(request: Request, session: Session) -> list[Standing]:
    addresses, counts = _addresses(request.app.state.settings), undelivered.counts(session)
    found = []
    for name in (*addresses, *sorted(counts.keys() - addresses.keys())):
        waiting, held, parked = (counts.get(name, {}).get(state, 0) for state in ("planned", "held", "parked"))
        address, known = addresses.get(name, ""), name in addresses
        found.append(Standing(name=name, address=address, known=known, waiting=waiting, held=held, parked=parked))
    return found


def _addresses(settings: Settings) -> dict[str, str]:
    return {d.name: d.address for d in settings.destinations}
