"""Limits: what a score limit would have flagged, limits that fit a budget, and setting one. Page and API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from qagate.domain.budget import Forecast, Tally, forecast, propose
from qagate.domain.limit import SiteLimit, covering
from qagate.domain.person import Permission, Person
from qagate.domain.prompt import Prompt
from qagate.errors import DecisionRefused
from qagate.judge.decide import select
from qagate.settings import Settings
from qagate.store import limits, opinions
from qagate.store.opinions import Paired
from qagate.store.tables import SeriesRow, SiteLimitRow
from qagate.web import veil
from qagate.web.access import needs
from qagate.web.decisions import settings_of
from qagate.web.labels import agreed
from qagate.web.pages import templates
from qagate.web.problem import told
from qagate.web.reading import database_of, now

router = APIRouter(prefix="/api/v1", tags=["limits"])
page = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

DAYS = 90
"""How far back a limit is tried on what came."""

Reader = Annotated[Person, Depends(needs(Permission.READ))]
Tuner = Annotated[Person, Depends(needs(Permission.TUNE))]
Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="number of the limit")]
Budget = Annotated[float | None, Query(ge=0, le=100_000, description="flags a day, all protocols together")]
Below = Annotated[int | None, Query(ge=0, le=100, description="try this limit on every protocol")]

_BLANK = BeforeValidator(lambda typed: None if typed == "" else typed)
"""A form sends the fields that nobody filled in, too."""


class Forecasted(BaseModel):
    """What a limit would have done in these days. caught, false, missed: of those that people judged."""

    limit: int
    flagged: int
    flags_a_day: float
    caught: int = Field(description="flagged, and called poor by people")
    false: int = Field(description="flagged, and called good by people")
    missed: int = Field(description="not flagged, and called poor by people")


class ProtocolLimit(BaseModel):
    """One protocol: its limit now, and what others would have done."""

    modality: str
    protocol: str
    series: int
    limit: float
    set_by: str = Field(description="policy of the settings, or the site's own limit over it")
    site_limit: int | None = Field(description="number of the site's own limit, null without one")
    enough: bool = Field(description="whether there are series enough to propose a limit")
    now: Forecasted
    tried: Forecasted | None = Field(description="with the limit that was asked about")
    proposed: Forecasted | None = Field(description="within the budget that was asked about")


class Limits(BaseModel):
    """Limits of all protocols with scored series in the last days."""

    days: int
    flags_a_day: float
    proposed_flags_a_day: float | None
    protocols: list[ProtocolLimit]


class WantedLimit(BaseModel):
    """A limit for one protocol."""

    model_config = ConfigDict(extra="forbid")

    modality: str = Field(min_length=1, max_length=16, pattern=r"^[^\x00]*$")
    protocol: str = Field(min_length=1, max_length=128, pattern=r"^[^\x00]*\S[^\x00]*$")
    review_below: float = Field(ge=0, le=100)


class SetLimit(BaseModel):
    """One limit that was set or taken back, as it stands in the record."""

    id: int
    at: datetime
    person: str
    modality: str
    protocol: str
    review_below: float
    basis: str
    undoes: int | None
    in_force: bool


@router.get("/limits", responses=told(422))
def list_limits(request: Request, person: Reader, below: Below = None, flags_a_day: Budget = None) -> Limits:
    """Say what limits flagged in the last 90 days, what another would have, and which would fit a budget."""
    with database_of(request).read() as session:
        return _limits(session, request, below=below, flags_a_day=flags_a_day)


@router.get("/limits/history", responses=told())
def list_history(request: Request, person: Reader) -> list[SetLimit]:
    """Return every limit that people set or took back, the latest first."""
    with database_of(request).read() as session:
        return _history(session)


@router.post("/limits", status_code=201, responses=told(422))
def apply_limit(request: Request, wanted: WantedLimit, person: Tuner) -> SetLimit:
    """Set a limit for a protocol, over the settings' own; series judged from now on are flagged below it."""
    with database_of(request).begin() as session:
        row = limits.apply(
            session,
            wanted.modality,
            wanted.protocol,
            wanted.review_below,
            person=person.name,
            at=now(request),
            basis=_basis(session, request, wanted),
        )
        return _set(row, in_force=True)


@router.delete("/limits/{number}", responses=told(404, 409, 422))
def undo_limit(request: Request, number: Number, person: Tuner) -> SetLimit:
    """Take a limit back: the one before it, or the settings' own, is in force again."""
    with database_of(request).begin() as session:
        if session.get(SiteLimitRow, number) is None:
            raise HTTPException(404, f"there is no such limit, got {number}")
        try:
            return _set(limits.undo(session, number, person=person.name, at=now(request)), in_force=False)
        except DecisionRefused as error:
            raise HTTPException(409, str(error)) from None


@page.get("/limits")
def limits_page(
    request: Request,
    person: Reader,
    below: Annotated[Below, _BLANK] = None,
    flags_a_day: Annotated[Budget, _BLANK] = None,
) -> Response:
    """Show each protocol's limit, what it flagged, what another would have, and who set what."""
    since = now(request) - timedelta(days=DAYS)
    with database_of(request).read() as session:
        found = _limits(session, request, below=below, flags_a_day=flags_a_day)
        pairs = opinions.paired(session, since=since)
        context: dict[str, Any] = {
            "limits": found,
            "history": _history(session),
            "below": below,
            "budget": flags_a_day,
            "agreement": {key: agreed(*key, one) for key, one in pairs.items()},
            "everything": agreed("", "", Paired.together(pairs.values())),
            "may_tune": person.may(Permission.TUNE),
        }
    return templates.TemplateResponse(request, "limits.html", context)


def _limits(session: Session, request: Request, *, below: int | None, flags_a_day: float | None) -> Limits:
    settings, standing = settings_of(request), limits.standing(session)
    since = now(request) - timedelta(days=DAYS)
    tallies = limits.tallies(
        session, since=since, limit_of=lambda row: _limit_now(settings, standing, row), veiled=veil.drawn(request)
    )
    proposals = propose(tallies, flags=flags_a_day * DAYS) if flags_a_day is not None else {}
    shown = [_protocol(t, standing, below, proposals.get((t.modality, t.protocol))) for t in tallies]
    wanted = [one.proposed or one.now for one in shown]
    return Limits(
        days=DAYS,
        flags_a_day=round(sum(one.now.flagged for one in shown) / DAYS, 2),
        proposed_flags_a_day=round(sum(one.flagged for one in wanted) / DAYS, 2) if flags_a_day is not None else None,
        protocols=shown,
    )


def _limit_now(settings: Settings, standing: tuple[SiteLimit, ...], row: SeriesRow) -> float:
    """Return the limit for series like this one: the site's own, else that of the policy that matches."""
    if limit := covering(standing, row.modality, row.protocol_name):
        return limit.review_below
    prompt = Prompt(row.modality, tuple(row.region.split()), row.organ or None, row.sequence or None)
    policy = select(prompt, settings.policies, calling_ae_title=row.calling_ae_title, protocol=row.protocol_name)
    return policy.review_below


def _protocol(tally: Tally, standing: tuple[SiteLimit, ...], below: int | None, proposal: int | None) -> ProtocolLimit:
    limit = covering(standing, tally.modality, tally.protocol)
    return ProtocolLimit(
        modality=tally.modality,
        protocol=tally.protocol,
        series=tally.count,
        limit=tally.limit,
        set_by="site limit" if limit else "settings",
        site_limit=limit.id if limit else None,
        enough=tally.enough,
        now=_forecasted(tally, round(tally.limit)),
        tried=None if below is None else _forecasted(tally, below),
        proposed=None if proposal is None else _forecasted(tally, proposal),
    )


def _forecasted(tally: Tally, limit: int) -> Forecasted:
    found: Forecast = forecast(tally, limit)
    return Forecasted(
        limit=limit,
        flagged=found.flagged,
        flags_a_day=round(found.flagged / DAYS, 2),
        caught=found.caught,
        false=found.false,
        missed=found.missed,
    )


def _basis(session: Session, request: Request, wanted: WantedLimit) -> str:
    found = _limits(session, request, below=round(wanted.review_below), flags_a_day=None).protocols
    one = next((p for p in found if (p.modality, p.protocol) == (wanted.modality, wanted.protocol)), None)
    if one is None or one.tried is None:
        return f"no scored series of this protocol in {DAYS} days"
    return (
        f"of {one.series} series in {DAYS} days it flags {one.tried.flagged}, before {one.now.flagged};"
        f" of those that people judged it catches {one.tried.caught}, misses {one.tried.missed},"
        f" flags {one.tried.false} that are good"
    )


def _history(session: Session) -> list[SetLimit]:
    standing = {one.id for one in limits.standing(session)}
    return [_set(row, in_force=row.id in standing) for row in limits.history(session)]


def _set(row: SiteLimitRow, *, in_force: bool) -> SetLimit:
    return SetLimit(
        id=row.id,
        at=row.at,
        person=row.person,
        modality=row.modality,
        protocol=row.protocol,
        review_below=row.review_below,
        basis=row.basis,
        undoes=row.undoes,
        in_force=in_force,
    )
