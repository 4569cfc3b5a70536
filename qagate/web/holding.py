"""Letting images go and keeping them back, over the API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, Field

from qagate.domain.holding import REJECTION_REASONS
from qagate.domain.person import Permission, Person
from qagate.store import holding, worklist
from qagate.web.access import needs
from qagate.web.problem import told
from qagate.web.reading import Uid, database_of, now

router = APIRouter(prefix="/api/v1", tags=["holding"])

Reason = Annotated[
    str, Field(max_length=holding.MOST_WORDS, pattern=r"^[^\x00]*$", description="why, in the person's own words")
]


class Why(BaseModel):
    """What a person says with a decision."""

    reason: Reason = ""


class Rejection(Why):
    """What a person says with a rejection, which they have confirmed."""

    code: Literal["", *REJECTION_REASONS] = Field(  # type: ignore[valid-type]
        "", description="a reason of CID 7011; the dominant one when empty"
    )


class Holding(BaseModel):
    """What holds of a series' images now; changed: whether this request changed it."""

    series_instance_uid: str
    holding: str
    changed: bool


class Released(BaseModel):
    """How many series were let go."""

    released: int


@router.post("/series/{uid}/release", responses=told(404, 422))
def release_series(
    request: Request, uid: Uid, why: Why, person: Annotated[Person, Depends(needs(Permission.DECIDE))]
) -> Holding:
    """Let the images of a held or rejected series go to the PACS."""
    with database_of(request).begin() as session:
        changed = holding.release(session, uid, by=person.name, reason=why.reason, at=now(request))
    return _now(request, uid, changed=changed)


@router.post("/series/{uid}/reject", responses=told(404, 409, 422))
def reject_series(
    request: Request, uid: Uid, why: Rejection, person: Annotated[Person, Depends(needs(Permission.DECIDE))]
) -> Holding:
    """Reject a series: held images stay back; destinations that want rejection notes get one."""
    if request.app.state.settings.review.two_person_rejection:
        raise HTTPException(409, f"a rejection takes two people here: POST /api/v1/series/{uid}/decisions, got one")
    with database_of(request).begin() as session:
        changed = holding.reject(session, uid, by=person.name, reason=why.reason, code=why.code, at=now(request))
    return _now(request, uid, changed=changed)


@router.post("/release-everything", responses=told(422))
def release_everything(
    request: Request, why: Why, person: Annotated[Person, Depends(needs(Permission.ADMINISTER))]
) -> Released:
    """Let everything go that is held now."""
    with database_of(request).begin() as session:
        number = holding.release_everything(session, by=person.name, reason=why.reason, at=now(request))
    return Released(released=number)


def _now(request: Request, uid: str, *, changed: bool) -> Holding:
    with database_of(request).read() as session:
        row = worklist.series(session, uid)
    if row is None:
        raise HTTPException(404, f"there is no series with this UID, got {uid}")
    return Holding(series_instance_uid=uid, holding=row.holding, changed=changed)
