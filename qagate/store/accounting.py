"""The account of what came in, by day and by source: every series is in exactly one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from qagate.clock import midnight
from qagate.store.tables import SeriesRow
from qagate.store.worklist import Account, account_of, between

NOWHERE = Account(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Day:
    """The account of one day (by the time of the last image), whole and by calling AE title."""

    since: datetime
    until: datetime
    whole: Account
    sources: dict[str, Account]


def by_source(
    session: Session, *, since: datetime | None = None, until: datetime | None = None, veiled: bool = False
) -> dict[str, Account]:
    """Return calling AE title → where its series of a period are. veiled: those whose verdict is hidden are pending."""
    state = case((SeriesRow.hidden, "queued"), else_=SeriesRow.state) if veiled else SeriesRow.state.expression
    rows = session.execute(
        select(SeriesRow.calling_ae_title, state.label("stands"), SeriesRow.outcome, func.count())
        .where(*between(since, until))
        .group_by(SeriesRow.calling_ae_title, "stands", SeriesRow.outcome)
    )
    counted: dict[str, list[tuple[str, str, int]]] = {}
    for source, state, outcome, number in rows:
        counted.setdefault(source, []).append((state, outcome, number))
    return {source: account_of(some) for source, some in sorted(counted.items())}


def days(session: Session, bounds: Sequence[datetime], *, veiled: bool = False) -> tuple[Day, ...]:
    """Return the account of each day between bounds that ascend: first day from bounds[0] to bounds[1], and so on.

    veiled: those whose verdict is hidden are pending.
    """
    found = []
    for since, until in pairwise(bounds):
        sources = by_source(session, since=since, until=until, veiled=veiled)
        found.append(Day(since, until, total(sources.values()), sources))
    return tuple(found)


def midnights(now: datetime, days: int) -> list[datetime]:
    """Return the midnights of the machine's own zone around the last days, today included: days + 1 of them."""
    first = now.astimezone().date() - timedelta(days=days - 1)
    return [midnight(first + timedelta(days=n)) for n in range(days + 1)]


def total(accounts: Iterable[Account]) -> Account:
    """Return the sum of accounts."""
    whole = NOWHERE
    for one in accounts:
        whole = Account(*(getattr(whole, f.name) + getattr(one, f.name) for f in fields(Account)))
    return whole


def reasons(session: Session, *, since: datetime | None = None, until: datetime | None = None) -> dict[str, int]:
    """Return why series of a period have no score, or are not for us, most frequent first: reason → number."""
    unscored = session.execute(
        select(SeriesRow.reason, func.count())
        .where(*between(since, until), SeriesRow.outcome == "unscored", SeriesRow.state.in_(("scored", "delivered")))
        .group_by(SeriesRow.reason)
    )
    others = session.execute(
        select(SeriesRow.state_reason, func.count())
        .where(*between(since, until), SeriesRow.state.in_(("excluded", "failed")))
        .group_by(SeriesRow.state_reason)
    )
    counted: dict[str, int] = {}
    for reason, number in (*unscored, *others):
        counted[reason or "no reason was noted"] = counted.get(reason or "no reason was noted", 0) + number
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
