"""Deciding about many series with one reason, over the API: each gets its own decision, or its own refusal."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from qagate.domain.decision import MOST_NOTE, REASONS, Kind, Wish
from qagate.domain.person import Permission, Person
from qagate.errors import StoreError
from qagate.web.access import needs
from qagate.web.decisions import take
from qagate.web.problem import told
from qagate.web.problems import DATABASE_AWAY, UNEXPECTED

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1", tags=["decisions"])

MOST = 100
"""Series of one request: it takes about a second, and what was not told of the next can still be stopped."""


class Meant(BaseModel):
    """One series as the person saw it."""

    model_config = ConfigDict(extra="forbid")

    series_instance_uid: str = Field(pattern=r"^[0-9.]{1,64}$")
    version: int = Field(ge=0, le=2**31 - 1, description="of the series when the person looked at it")


def _each_once(series: list[Meant]) -> list[Meant]:
    if len({one.series_instance_uid for one in series}) < len(series):
        raise ValueError("each series can be named once")
    return series


class WantedOfMany(BaseModel):
    """What a person wants to decide about each of these series. Hidden verdicts are graded one by one."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["agree", "disagree", "reject", "release", "repeat", "note"]
    reason: Literal["", *REASONS] = Field("", description="needed to disagree and to reject")  # type: ignore[valid-type]
    note: str = Field("", max_length=MOST_NOTE, pattern=r"^[^\x00]*$")
    series: Annotated[list[Meant], Field(min_length=1, max_length=MOST), AfterValidator(_each_once)]


class TakenOfMany(BaseModel):
    """A decision that was taken, and where its series stands now."""

    series_instance_uid: str
    taken: int = Field(description="number of the decision")
    version: int
    state: str


class Refused(BaseModel):
    """A series about which nothing was decided, with the status and the sentence that it alone would have got."""

    series_instance_uid: str
    status: int
    detail: str


class DecidedOfMany(BaseModel):
    """What became of each series: it is in one of the two lists."""

    taken: list[TakenOfMany]
    refused: list[Refused]


@router.post("/decisions", responses=told(422))
def decide_about_many(
    request: Request,
    wanted: WantedOfMany,
    person: Annotated[Person, Depends(needs(Permission.DECIDE))],
    later: BackgroundTasks,
) -> DecidedOfMany:
    """Decide the same about up to 100 series: each gets its own decision, and one that is refused stops no other."""
    wish = Wish(Kind(wanted.kind), wanted.reason, None, wanted.note)
    found: list[TakenOfMany] = []
    refused: list[Refused] = []
    away = False
    for one in wanted.series:
        uid = one.series_instance_uid
        try:
            if away:
                raise HTTPException(503, DATABASE_AWAY)
            taken, stands = take(request, uid, wish, person=person.name, version=one.version)
        except HTTPException as error:
            refused.append(Refused(series_instance_uid=uid, status=error.status_code, detail=str(error.detail)))
            continue
        except StoreError:
            away = True  # who waits for it a hundred times waits for minutes
            refused.append(Refused(series_instance_uid=uid, status=503, detail=DATABASE_AWAY))
            continue
        except Exception:  # of the others it must be told what became of them
            logger.exception("%s of series %s failed", wanted.kind, uid)
            refused.append(Refused(series_instance_uid=uid, status=500, detail=UNEXPECTED))
            continue
        found.append(TakenOfMany(series_instance_uid=uid, taken=taken.id, version=stands.version, state=stands.state))
        if taken.quality is not None:
            later.add_task(request.app.state.keeper.keep, uid)
    return DecidedOfMany(taken=found, refused=refused)
