"""Letting images go and keeping them back, over the API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request
from pydantic import BaseModel, Field

from qagate.domain.decision import Kind, Wish
from qagate.domain.holding import REJECTION_REASONS
from qagate.domain.person import Permission, Person
from qagate.errors import DecisionRefused, NothingWaits
from qagate.store import decisions, holding, releasing, worklist
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
        "", description="a reason of CID 7011; needed"
    )


class Holding(BaseModel):
    """What holds of a series' images now; changed: whether this request changed it."""

    series_instance_uid: str
    holding: str
    changed: bool
    review: str = Field(description="where it stands with people; proposed: a second person must reject it too")


class Released(BaseModel):
    """How many series were let go."""

    released: int


@router.post("/series/{uid}/release", responses=told(404, 422))
def release_series(
    request: Request, uid: Uid, why: Why, person: Annotated[Person, Depends(needs(Permission.DECIDE))]
) -> Holding:
    """Let the images of a held or rejected series go to the PACS: the decision `release`, whatever the version."""
    try:
        return _decide(request, uid, Wish(Kind.RELEASE, note=why.reason), person)
    except NothingWaits:
        return _now(request, uid, changed=False)


@router.post("/series/{uid}/reject", responses=told(404, 422))
def reject_series(
    request: Request,
    uid: Uid,
    why: Rejection,
    person: Annotated[Person, Depends(needs(Permission.DECIDE))],
    later: BackgroundTasks,
) -> Holding:
    """Reject a series: the decision `reject`, whatever the version. Held images stay; who wants a note gets one."""
    said = _decide(request, uid, Wish(Kind.REJECT, why.code, note=why.reason), person)
    later.add_task(request.app.state.keeper.keep, uid)
    return said


@router.post("/release-everything", responses=told(422))
def release_everything(
    request: Request, why: Why, person: Annotated[Person, Depends(needs(Permission.ADMINISTER))]
) -> Released:
    """Let everything go that is held now."""
    number = releasing.release_everything(
        database_of(request),
        by=person.name,
        reason=why.reason,
        at=now(request),
        two_person=request.app.state.settings.review.two_person_rejection,
    )
    return Released(released=number)


def _decide(request: Request, uid: str, wish: Wish, person: Person) -> Holding:
    two_person = request.app.state.settings.review.two_person_rejection
    with database_of(request).begin() as session:
        row = worklist.series(session, uid)
        if row is None:
            raise HTTPException(404, f"there is no series with this UID, got {uid}")
        before = row.holding
        try:
            decisions.decide(
                session, uid, wish, person=person.name, version=None, at=now(request), two_person=two_person
            )
        except NothingWaits:
            raise
        except DecisionRefused as error:
            raise HTTPException(422, str(error)) from None
        session.refresh(row)
        changed = row.holding != before
    return _now(request, uid, changed=changed)


def _now(request: Request, uid: str, *, changed: bool) -> Holding:
    two_person = request.app.state.settings.review.two_person_rejection
    with database_of(request).read() as session:
        row, stands = worklist.series(session, uid), decisions.of(session, uid, two_person=two_person)
    if row is None:
        raise HTTPException(404, f"there is no series with this UID, got {uid}")
    return Holding(series_instance_uid=uid, holding=row.holding, changed=changed, review=stands.state)
