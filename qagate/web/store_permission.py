"""For an archive that asks before it stores: /api/v1/store-permission."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from qagate.domain.person import Permission, Person
from qagate.domain.store_permission import Answer, Known, StorePermission, permitted, unknown
from qagate.errors import StoreError
from qagate.store import worklist
from qagate.web import veil
from qagate.web.access import needs
from qagate.web.problem import told
from qagate.web.reading import database_of

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/api/v1", tags=["archives"])

MaybeUid = Annotated[str, Query(max_length=64, pattern=r"^[0-9.]*$")]


class Said(BaseModel):
    """Whether a series, or all of a study, may be stored."""

    answer: Answer
    may_store: bool = Field(description="true: store it; unknown ones too unless web.store_unknown is false")
    reason: str


@router.get("/store-permission", responses=told(400, 422))
def store_permission(
    request: Request,
    person: Annotated[Person, Depends(needs(Permission.READ, by_itself=True))],
    series_instance_uid: MaybeUid = "",
    study_instance_uid: MaybeUid = "",
) -> Said:
    """Say whether an archive may store a series, or a study: allowed, held or unknown, and why. Fails open."""
    if bool(series_instance_uid) == bool(study_instance_uid):
        raise HTTPException(400, "ask for one series or one study: series_instance_uid=... or study_instance_uid=...")
    may_store = request.app.state.settings.web.store_unknown
    try:
        said = _said(request, series_instance_uid, study_instance_uid, unknown_may_store=may_store)
    except StoreError as error:
        logger.error("%s", error)
        said = unknown("qagate's database cannot be reached", may_store=may_store)
    return Said(answer=said.answer, may_store=said.may_store, reason=said.reason)


def _said(request: Request, series: str, study: str, *, unknown_may_store: bool) -> StorePermission:
    with database_of(request).read() as session:
        if series:
            row = worklist.series(session, series)
            rows = [row] if row else []
        else:
            rows = list(worklist.of_study(session, study))
        shown = veil.shown(request, session, rows)
    known = [Known(one["series_instance_uid"], one["holding"], one["word"] or "") for one in shown]
    return permitted(known, unknown_may_store=unknown_may_store)
