"""Places: the way in that fits a filter, by which its series are counted and found among millions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import CTE, ColumnElement, Select, Subquery, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from qagate.store import numbers
from qagate.store.filter import FLAGGED, OUTCOMES, Filter
from qagate.store.numbers import escaped
from qagate.store.tables import KindRow, SeriesRow

Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])

MOST_COUNTED = 10_000
"""A count ends here: "10 000 or more" tells a person as much as the number, and takes no second."""

MOST_LISTED = 500
"""More kinds than this are looked up by the database within each question."""

_KIND = SeriesRow.kind_id + 0
"""Where another index is the way in: the sum keeps the database from gathering all series of these kinds first."""

_OUTCOME = SeriesRow.outcome + ""
"""The same for outcomes."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the series of a filter are found, its outcome left aside.

    rest: conditions on the series themselves. kinds: which kinds match, None = all do. named: what matches by its
    accession number or UID instead, as (UID, outcome, whether hidden). waiting: they are found among what waits for a
    person. hidden: as in Filter.
    """

    rest: tuple[ColumnElement[bool], ...]
    kinds: Select[Any] | list[int] | None
    named: tuple[tuple[str, str, bool], ...] = ()
    waiting: bool = False
    hidden: bool | None = None

    @classmethod
    def of(cls, session: Session, wanted: Filter) -> Places:
        rest = []
        if wanted.state:
            rest.append(SeriesRow.state == wanted.state)
        if wanted.since is not None:
            rest.append(SeriesRow.last_instance_at >= wanted.since)
        if wanted.until is not None:
            rest.append(SeriesRow.last_instance_at < wanted.until)
        if wanted.waiting:
            rest.append(SeriesRow.waiting.is_(True))
        if wanted.pending_since is not None:
            rest += [SeriesRow.waiting.is_(True), SeriesRow.last_instance_at >= wanted.pending_since]
        if wanted.without:
            rest.append(SeriesRow.series_instance_uid.not_in(wanted.without))
        words, waiting = _words(wanted), wanted.waiting or wanted.pending_since is not None
        if not wanted.text:
            return cls(tuple(rest), _kinds(session, words) if words else None, (), waiting, wanted.hidden)
        pattern = f"%{escaped(wanted.text)}%"
        columns = (KindRow.series_description, KindRow.protocol_name, KindRow.station_name)
        told = or_(*(column.ilike(pattern, escape="\\") for column in columns))
        kinds = _kinds(session, [told, *words])
        others = [*rest, _KIND.not_in(kinds), *([_KIND.in_(_kinds(session, words))] if words else [])]
        named = numbers.named(session, wanted.text, others, few=wanted.pending_since is not None)
        return cls(tuple(rest), kinds, named, waiting, wanted.hidden)

    def number(self, session: Session, outcomes: Sequence[str], most: int | None) -> int:
        """Return how many there are, `most` at most."""
        if self.hidden is False:
            # the hidden ones have an index; to ask each of the others whether it is one takes its row
            behind = replace(self, hidden=True).number(session, outcomes, None)
            every = replace(self, hidden=None)
            return every.number(session, outcomes, None if most is None else most + behind) - behind
        of_kinds = select(literal(1)).select_from(SeriesRow).where(*self._rest, *self._having(outcomes))
        if self.kinds is not None:
            of_kinds = of_kinds.where(self._kind.in_(self.kinds))
        found = session.scalar(select(func.count()).select_from(of_kinds.limit(most).subquery())) or 0
        found += len(self._uids(outcomes))
        return found if most is None else min(found, most)

    def outcomes(self, session: Session) -> Counter[str]:
        """Return how many of each outcome there are, all of them counted: for what is few."""
        outcome = _OUTCOME.label("outcome")
        query = select(outcome, func.count()).where(*self._rest).group_by(outcome)
        found = session.execute(query if self.kinds is None else query.where(self._kind.in_(self.kinds)))
        counts = Counter({row[0]: row[1] for row in found})
        counts.update(outcome for _, outcome, hidden in self.named if self.hidden in (None, hidden))
        return counts

    def page(self, session: Session, outcomes: Sequence[str], limit: int, offset: int) -> Select[Any]:
        """Return a query for the UIDs of a part of them, the latest first."""
        if self.kinds is None and len(outcomes) == len(FLAGGED):
            return self._merged(outcomes, limit, offset)
        often = self.kinds is None or self.number(session, outcomes, MOST_COUNTED) >= MOST_COUNTED
        if often:
            return self._walk(session, outcomes).limit(limit).offset(offset)
        uids = self._uids(outcomes)
        seldom = _places().where(*self._rest, *self._having(outcomes))
        if self.kinds is not None:
            seldom = seldom.where(self._kind.in_(self.kinds))
        ways = [seldom, _places().where(SeriesRow.series_instance_uid.in_(uids))] if uids else [seldom]
        # materialised, so that no database walks through all of time for the sake of the order
        found = union_all(*ways).cte("found").prefix_with("MATERIALIZED")
        return _cut(found, limit, offset)

    @property
    def _rest(self) -> tuple[ColumnElement[bool], ...]:
        return self.rest if self.hidden is None else (*self.rest, SeriesRow.hidden.is_(self.hidden))

    @property
    def _kind(self) -> ColumnElement[int | None]:
        return _KIND if self.waiting or self.hidden else SeriesRow.kind_id.expression

    def _having(self, outcomes: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
        outcome = _OUTCOME if self.hidden else SeriesRow.outcome.expression
        if not outcomes:
            return ()
        if len(outcomes) == 1:
            return (outcome == outcomes[0],)
        if len(outcomes) > len(FLAGGED):  # most of all: no index of outcomes is to be chosen for them
            return (outcome.not_in([one for one in OUTCOMES if one not in outcomes]),)
        return (outcome.in_(outcomes),)

    def _uids(self, outcomes: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            uid
            for uid, outcome, hidden in self.named
            if (not outcomes or outcome in outcomes) and self.hidden in (None, hidden)
        )

    def _merged(self, outcomes: Sequence[str], limit: int, offset: int) -> Select[Any]:
        """Return a query that takes the latest of each outcome, and the latest of these."""
        latest = [
            latest_first(_places().where(*self._rest, *self._having((outcome,)))).limit(limit + offset).subquery()
            for outcome in outcomes
        ]
        return _cut(union_all(*(select(one) for one in latest)).subquery(), limit, offset)

    def _walk(self, session: Session, outcomes: Sequence[str]) -> Select[Any]:
        """Return a query that goes back in time, from the latest that can match."""
        query = latest_first(select(SeriesRow.series_instance_uid)).where(*self._rest, *self._having(outcomes))
        if self.kinds is None:
            return query
        matching = [_KIND.in_(self.kinds)]
        if self.named:
            matching.append(SeriesRow.series_instance_uid.in_(self._uids(outcomes)))
        return query.where(or_(*matching), SeriesRow.last_instance_at <= self._latest(session, outcomes))

    def _latest(self, session: Session, outcomes: Sequence[str]) -> datetime:
        """Return the time of the latest that can match: a scanner may have been gone for years."""
        assert self.kinds is not None
        kinds = self.kinds
        of_kind = [
            select(func.max(SeriesRow.last_instance_at))
            .where(SeriesRow.kind_id == KindRow.id, SeriesRow.outcome == outcome)
            .scalar_subquery()
            for outcome in outcomes or OUTCOMES
        ]
        times = list(session.execute(select(*(func.max(one) for one in of_kind)).where(KindRow.id.in_(kinds))).one())
        if uids := self._uids(outcomes):
            newest = select(func.max(SeriesRow.last_instance_at)).where(SeriesRow.series_instance_uid.in_(uids))
            times.append(session.scalar(newest))
        latest: datetime = max(time for time in times if time is not None)
        return latest


def _kinds(session: Session, words: Sequence[ColumnElement[bool]]) -> Select[Any] | list[int]:
    """Return the kinds that match: as a list when they are few, so that the database knows how few."""
    query = select(KindRow.id).where(*words)
    found = list(session.scalars(query.limit(MOST_LISTED + 1)))
    return found if len(found) <= MOST_LISTED else query


def _places() -> Select[str, datetime]:
    return select(SeriesRow.series_instance_uid.label("uid"), SeriesRow.last_instance_at.label("at"))


def latest_first(query: Q) -> Q:
    return query.order_by(SeriesRow.last_instance_at.desc(), SeriesRow.series_instance_uid.desc())


def _cut(found: CTE | Subquery, limit: int, offset: int) -> Select[Any]:
    return select(found.c.uid).order_by(found.c.at.desc(), found.c.uid.desc()).limit(limit).offset(offset)


def _words(wanted: Filter) -> list[ColumnElement[bool]]:
    words: list[ColumnElement[bool]] = []
    if wanted.modality:
        words.append(KindRow.modality == wanted.modality)
    if wanted.calling_ae_title:
        words.append(KindRow.calling_ae_title == wanted.calling_ae_title)
    if wanted.organ:
        spaced = literal(" ") + KindRow.region + literal(" ") + KindRow.organ + literal(" ")
        words.append(spaced.contains(f" {wanted.organ} ", autoescape=True))
    if wanted.scanner:
        words.append(or_(KindRow.station_name == wanted.scanner, KindRow.calling_ae_title == wanted.scanner))
    if wanted.protocol:
        unnamed = (KindRow.protocol_name == "") & (KindRow.series_description == wanted.protocol)
        words.append(or_(KindRow.protocol_name == wanted.protocol, unnamed))
    return words
