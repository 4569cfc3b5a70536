"""Releasing everything that is held: a decision about each series, with who and why, and no fault keeps one back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.domain.decision import Kind, Wish
from qagate.domain.holding import CAUSE_WORDS, Cause
from qagate.errors import NothingWaits
from qagate.store import audit, decisions, holding
from qagate.store.database import Database
from qagate.store.events import event
from qagate.store.tables import HoldingRow

logger = logging.getLogger(__name__)

SERIES_AT_ONCE = 50
"""Others wait for the database while a batch is written."""


def release_everything(database: Database, *, by: str, reason: str, at: datetime, two_person: bool) -> int:
    """Let go every series that is held now, the next deadline first; returns how many. What a person rejected stays.

    by: a person's name. reason: in their words, may be empty. Both stand with each series, and in the audit trail.
    Raises StoreError: what was let go until then is on its way.
    """
    why = holding.cut(reason)
    with database.begin() as session:
        held = session.scalars(
            select(HoldingRow.series_instance_uid)
            .where(HoldingRow.state == holding.HELD)
            .order_by(HoldingRow.until, HoldingRow.series_instance_uid)
        ).all()
        # written first: a crash in between leaves who wanted it
        event(session, at, "released", "", f"{CAUSE_WORDS[Cause.EVERYTHING]}: {len(held)} series; by {by}: {why}")
        audit.record(session, by, "everything_released", "", f"{len(held)} series; {why}".rstrip("; "), at)
    number = 0
    for start in range(0, len(held), SERIES_AT_ONCE):
        number += _some(database, held[start : start + SERIES_AT_ONCE], by=by, why=why, at=at, two_person=two_person)
    return number


def _some(database: Database, uids: Sequence[str], *, by: str, why: str, at: datetime, two_person: bool) -> int:
    number = 0
    with database.begin() as session:
        for uid in uids:
            try:
                with session.begin_nested():
                    _decide(session, uid, by=by, why=why, at=at, two_person=two_person)
                number += 1
            except NothingWaits:
                continue  # its deadline was quicker
            except Exception:  # whatever it is, the images must not wait for it; a database that is away says so again
                logger.exception("no decision about series %s could be written; its images go all the same", uid)
                number += holding.release(session, uid, by=by, reason=why, at=at, cause=Cause.EVERYTHING)
    return number


def _decide(session: Session, uid: str, *, by: str, why: str, at: datetime, two_person: bool) -> None:
    wish = Wish(Kind.RELEASE, note=why)
    decisions.decide(session, uid, wish, person=by, version=None, at=at, two_person=two_person, cause=Cause.EVERYTHING)
