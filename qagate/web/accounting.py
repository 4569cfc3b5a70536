"""The account by day and source, and the comparisons with archives, for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from qagate.domain.person import Permission
from qagate.store import accounting, reconciliation
from qagate.store.worklist import Account
from qagate.web import veil
from qagate.web.access import needs
from qagate.web.problem import told
from qagate.web.reading import database_of

router = APIRouter(prefix="/api/v1", tags=["accounting"], dependencies=[Depends(needs(Permission.READ))])


@router.get("/accounts", responses=told(422))
def accounts(request: Request, days: Annotated[int, Query(ge=1, le=92)] = 7) -> list[dict[str, Any]]:
    """Say where the series of the last days are, the latest day first: whole, by source, and why some have no score."""
    bounds = accounting.midnights(datetime.now(UTC), days)
    with database_of(request).read() as session:
        found = accounting.days(session, bounds, veiled=veil.drawn(request))
        why = [accounting.reasons(session, since=day.since, until=day.until) for day in found]
    return [
        {
            "day": f"{day.since:%Y-%m-%d}",
            **_shown(day.whole),
            "sources": {source: _shown(account) for source, account in day.sources.items()},
            "reasons": reasons,
        }
        for day, reasons in reversed(list(zip(found, why, strict=True)))
    ]


@router.get("/reconciliations", responses=told())
def reconciliations(request: Request) -> list[dict[str, Any]]:
    """Return the newest comparison with each archive: series that never came here, documents it does not hold."""
    with database_of(request).read() as session:
        found = reconciliation.latest(session)
    return [{**asdict(one), "state": one.state, "made_at": one.made_at.isoformat()} for one in found]


def _shown(account: Account) -> dict[str, int]:
    return {**asdict(account), "scored": account.scored, "unaccounted": account.unaccounted}
