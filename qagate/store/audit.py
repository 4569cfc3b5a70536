"""Audit: who saw and did what, when. Rows are only added; nothing here changes or deletes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qagate.store.tables import AuditRow

LENGTHS = {"who": 64, "what": 64, "series_instance_uid": 64, "address": 64}


@dataclass(frozen=True, slots=True)
class Search:
    """Which acts to list; an empty value does not narrow. since: included, until: not."""

    who: str = ""
    what: str = ""
    series_instance_uid: str = ""
    since: datetime | None = None
    until: datetime | None = None


def record(
    session: Session,
    who: str,
    what: str,
    series_instance_uid: str,
    detail: str,
    at: datetime,
    *,
    address: str = "",
) -> None:
    """Add one act, in the transaction of what it tells of.

    who: the person's name. what: an Act or a word like it. series_instance_uid: empty when it is about none. detail:
    words without patient data. address: where they were.
    """
    session.add(
        AuditRow(
            at=at,
            who=who[: LENGTHS["who"]],
            what=str(what)[: LENGTHS["what"]],
            series_instance_uid=series_instance_uid[: LENGTHS["series_instance_uid"]],
            detail=detail,
            address=address[: LENGTHS["address"]],
        )
    )


def _conditions(wanted: Search) -> list[Any]:
    conditions: list[Any] = []
    for name in ("who", "what", "series_instance_uid"):
        if value := getattr(wanted, name):
            conditions.append(getattr(AuditRow, name) == value)
    if wanted.since is not None:
        conditions.append(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditRow.at < wanted.until)
    return conditions


def listing(session: Session, wanted: Search, *, limit: int = 100, before: int | None = None) -> Sequence[AuditRow]:
    """Return acts, the latest first; before: the id of the last act of the page before this one."""
    older = [] if before is None else [AuditRow.id < before]
    return session.scalars(
        select(AuditRow).where(*_conditions(wanted), *older).order_by(AuditRow.id.desc()).limit(limit)
    ).all()


def count(session: Session, wanted: Search) -> int:
    """Return how many acts a search finds."""
    return session.scalar(select(func.count()).select_from(AuditRow).where(*_conditions(wanted))) or 0


def words(session: Session) -> list[str]:
    """Return every word that stands for an act so far, in order."""
    return sorted(session.scalars(select(AuditRow.what).distinct()))
