"""What people decide about one series, over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from qagate.domain.decision import MOST_NOTE, REASONS, Decision, Kind, Quality, Wish
from qagate.domain.person import Permission, Person
from qagate.domain.verdict import Outcome
from qagate.errors import DecisionRefused, DecisionStale
from qagate.settings import Settings
from qagate.store import decisions, worklist
from qagate.web.access import needs
from qagate.web.problem import told
from qagate.web.reading import Uid, database_of, now

router = APIRouter(prefix="/api/v1", tags=["decisions"])

Reader = Annotated[Person, Depends(needs(Permission.READ))]
Decider = Annotated[Person, Depends(needs(Permission.DECIDE))]
Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="number of the decision")]


class Wanted(BaseModel):
    """What a person wants to decide."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["agree", "disagree", "grade", "reject", "release", "repeat", "note"]
    version: int = Field(ge=0, le=2**31 - 1, description="of the series when the person looked at it")
    reason: Literal["", *REASONS] = Field("", description="needed to disagree and to reject")  # type: ignore[valid-type]
    quality: Quality | None = Field(None, description="what the kind implies when absent; needed for a grade")
    note: str = Field("", max_length=MOST_NOTE, pattern=r"^[^\x00]*$")


class Taken(BaseModel):
    """One decision; it is never changed. undone: a later one, with `undoes`, took it back."""

    id: int
    at: datetime
    person: str
    kind: Kind
    reason: str
    reason_words: str
    quality: Quality | None
    note: str
    revision: int
    verdict: Outcome | None = Field(description="what was decided about; null while the verdict is hidden")
    score: float | None
    model: str
    policy: str
    blind: bool
    undoes: int | None
    undone: bool

    @classmethod
    def of(cls, one: Decision, *, hidden: bool = False) -> Taken:
        """Return it as it is shown."""
        return cls(
            id=one.id,
            at=one.at,
            person=one.person,
            kind=one.kind,
            reason=one.reason,
            reason_words=REASONS[one.reason].words if one.reason else "",
            quality=one.quality,
            note=one.note,
            revision=one.revision,
            verdict=None if hidden else one.outcome,
            score=None if hidden or one.score is None else round(one.score, 1),
            model=one.model,
            policy=one.policy,
            blind=one.blind,
            undoes=one.undoes,
            undone=one.undone,
        )


class Standing(BaseModel):
    """Where a series stands with people. taken: the decision that this request made."""

    series_instance_uid: str
    version: int
    revision: int | None
    state: str = Field(description="open, proposed, agreed, disagreed, rejected, or empty when nobody was asked")
    hidden: bool = Field(description="the verdict is hidden from people until they said what they see")
    two_person_rejection: bool
    taken: int | None = None
    decisions: list[Taken]


@router.get("/series/{uid}/decisions", responses=told(404, 422))
def list_decisions(request: Request, uid: Uid, person: Reader) -> Standing:
    """Return every decision on a series, oldest first, and where it stands."""
    with database_of(request).read() as session:
        known = worklist.series(session, uid) is not None
    if not known:
        raise HTTPException(404, f"there is no series with this UID, got {uid}")
    return standing(request, uid)


@router.post("/series/{uid}/decisions", status_code=201, responses=told(404, 409, 422))
def decide(request: Request, uid: Uid, wanted: Wanted, person: Decider, later: BackgroundTasks) -> Standing:
    """Decide about a series; 409 says what changed since the person looked."""
    wish = Wish(Kind(wanted.kind), wanted.reason, wanted.quality, wanted.note)
    taken, _ = take(request, uid, wish, person=person.name, version=wanted.version)
    if taken.quality is not None:
        later.add_task(request.app.state.keeper.keep, uid)
    return standing(request, uid, taken=taken.id)


@router.delete("/series/{uid}/decisions/{number}", responses=told(404, 409, 422))
def undo(request: Request, uid: Uid, number: Number, person: Decider) -> Standing:
    """Take a decision back; it stays in the record, with a new one beside it."""
    review = settings_of(request).review
    with database_of(request).begin() as session:
        if number not in {one.id for one in decisions.listed(session, uid)}:
            raise HTTPException(404, f"there is no such decision on this series, got {number}")
        try:
            taken = decisions.undo(
                session,
                uid,
                number,
                person=person.name,
                at=now(request),
                within=timedelta(minutes=review.undo_minutes),
                anybody=person.may(Permission.ADMINISTER),
                two_person=review.two_person_rejection,
            )
        except DecisionRefused as error:
            raise HTTPException(409, str(error)) from None
    return standing(request, uid, taken=taken.id)


def take(request: Request, uid: str, wish: Wish, *, person: str, version: int) -> tuple[Decision, decisions.Standing]:
    """Take a decision of a person on one series as they saw it, and return it and where the series stands then.

    Raises HTTPException when it cannot be taken.
    """
    two_person = settings_of(request).review.two_person_rejection
    with database_of(request).begin() as session:
        if worklist.series(session, uid) is None:
            raise HTTPException(404, f"there is no series with this UID, got {uid}")
        try:
            taken = decisions.decide(
                session, uid, wish, person=person, version=version, at=now(request), two_person=two_person
            )
            return taken, decisions.of(session, uid, two_person=two_person)
        except DecisionStale as error:
            raise HTTPException(409, str(error)) from None
        except DecisionRefused as error:
            raise HTTPException(422, str(error)) from None


def standing(request: Request, uid: str, *, taken: int | None = None) -> Standing:
    """Return where a series stands now."""
    two_person = settings_of(request).review.two_person_rejection
    with database_of(request).read() as session:
        now = decisions.of(session, uid, two_person=two_person)
    return Standing(
        series_instance_uid=uid,
        version=now.version,
        revision=now.revision,
        state=now.state,
        hidden=now.hidden,
        two_person_rejection=two_person,
        taken=taken,
        decisions=[Taken.of(one, hidden=now.hidden) for one in now.decisions],
    )


def settings_of(request: Request) -> Settings:
    """Return the settings of the running application."""
    settings: Settings = request.app.state.settings
    return settings
