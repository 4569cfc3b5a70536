"""Lists of series that stay quick over millions: what to look at, how many there are, and what to narrow them by.

A filter is answered by the way in that fits it: the words that series share are looked up among their kinds
(tables/kind.py), accession numbers and UIDs by their own index. What matches seldom is then fetched and sorted; what
matches often is found by walking back in time. Nothing is counted beyond MOST_COUNTED. Figures: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import CTE, ColumnElement, Select, Subquery, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from qagate.store import numbers, reviews
from qagate.store.numbers import escaped
from qagate.store.tables import KindRow, ReviewRow, SeriesRow

Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])

MOST_COUNTED = 10_000
"""A count ends here: "10 000 or more" tells a person as much as the number, and takes no second."""

MOST_PENDING = 200
"""So many of those that wait for a person stand before all others; more are found under "to do"."""

MOST_LISTED = 500
"""More kinds than this are looked up by the database within each question."""

FLAGGED = ("reject", "review")
OUTCOMES = ("reject", "review", "unscored", "accept", "")
"""All outcomes of a series, "" = none yet."""

_KIND = SeriesRow.kind_id + 0
"""Where another index is the way in: the sum keeps the database from gathering all series of these kinds first."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which series to list; an empty value does not narrow. outcome may also be "flagged" (review or reject) or "todo"
    (waits for a person). hidden: only those whose verdict is hidden from people (True), or without them (False).
    pending_since: only what waits for a person and came since then. without: Series Instance UIDs to leave out.

    organ: a word of the region or the organ. scanner: station name or calling AE title. protocol: its name, or the
    series description where it has none, as in the trends. text: a part of description, protocol or station, the
    beginning or the end of an accession number, or a whole UID. since, until: bounds of the time of the last image, the
    first included, the second not.
    """

    outcome: str = ""
    modality: str = ""
    state: str = ""
    calling_ae_title: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    organ: str = ""
    scanner: str = ""
    protocol: str = ""
    hidden: bool | None = None
    pending_since: datetime | None = None
    without: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that it lists; empty = all."""
        if self.outcome == "flagged":
            return FLAGGED
        return (self.outcome,) if self.outcome and not self.waiting else ()

    @property
    def waiting(self) -> bool:
        """Whether it lists what waits for a person."""
        return self.outcome == "todo"


def listing(
    session: Session,
    wanted: Filter,
    *,
    limit: int = 50,
    offset: int = 0,
    flagged_first: bool = False,
    veiled: bool = False,
) -> Sequence[SeriesRow]:
    """Return series, the latest first; with flagged_first what a person should look at stands before all else.

    veiled: no place tells a hidden verdict; such series stand behind the flagged ones, whatever they are.
    """
    if not flagged_first:
        return _rows(session, _Places.of(session, wanted).page(session, wanted.outcomes, limit, offset))
    found: list[SeriesRow] = []
    told = _Places.of(session, replace(wanted, hidden=False) if veiled else wanted)
    turns: list[tuple[_Places, tuple[str, ...]]] = [(told, (outcome,)) for outcome in FLAGGED]
    turns.append((told, ("unscored", "accept", "")))
    if veiled and wanted.hidden is None:
        turns.insert(len(FLAGGED), (_Places.of(session, replace(wanted, hidden=True)), wanted.outcomes))
    for places, outcomes in turns:
        if wanted.outcomes and not set(outcomes) <= set(wanted.outcomes):
            continue
        found += _rows(session, places.page(session, outcomes, limit - len(found), offset))
        if len(found) == limit:
            break
        offset = 0 if found else offset - places.number(session, outcomes, None) if offset else 0
    return found


def pending_first(
    session: Session, wanted: Filter, *, since: datetime, limit: int = 50, offset: int = 0
) -> Sequence[SeriesRow]:
    """Return series: first those that came since then and wait for a person, MOST_PENDING at most, then all others.

    Of both the latest first.
    """
    places = _Places.of(session, replace(wanted, pending_since=since))
    pending = tuple(session.scalars(places.page(session, wanted.outcomes, MOST_PENDING, 0)))
    first = pending[offset : offset + limit]
    found = list(_rows(session, select(SeriesRow.series_instance_uid).where(SeriesRow.series_instance_uid.in_(first))))
    if len(found) < limit:
        others, before = replace(wanted, without=pending), max(offset - len(pending), 0)
        found += listing(session, others, limit=limit - len(found), offset=before)
    return found


def count(session: Session, wanted: Filter) -> int:
    """Return how many series a filter lists, MOST_COUNTED at most."""
    return _Places.of(session, wanted).number(session, wanted.outcomes, MOST_COUNTED)


def outcome_counts(session: Session, wanted: Filter) -> dict[str, int]:
    """Return how many series of a filter have each outcome ("" = none yet), MOST_COUNTED of each at most.

    The filter's own outcome does not narrow.
    """
    places = _Places.of(session, replace(wanted, outcome=""))
    counts = {outcome: places.number(session, (outcome,), MOST_COUNTED) for outcome in OUTCOMES}
    return {outcome: number for outcome, number in counts.items() if number}


def choices(session: Session, *, since: datetime, limit: int = 200) -> dict[str, list[str]]:
    """Return the values that a person can filter by, of the series since then: modality, organ, scanner, protocol."""
    recent = (
        select(SeriesRow.series_instance_uid)
        .where(SeriesRow.kind_id == KindRow.id, SeriesRow.outcome.in_(OUTCOMES), SeriesRow.last_instance_at >= since)
        .exists()
    )
    kinds = session.scalars(select(KindRow).where(recent)).all()
    found = {
        "modality": {kind.modality for kind in kinds},
        "organ": {word for kind in kinds for word in (*kind.region.split(), kind.organ)},
        "scanner": {name for kind in kinds for name in (kind.station_name, kind.calling_ae_title)},
        "protocol": {kind.protocol_name for kind in kinds},
    }
    return {name: sorted(values - {""})[:limit] for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the series of a filter are found, its outcome left aside.

    rest: conditions on the series themselves. kinds: which kinds match, None = all do. named: what matches by its
    accession number or UID instead, as (UID, outcome). waiting: they are found among what waits for a person.
    """

    rest: tuple[ColumnElement[bool], ...]
    kinds: Select[Any] | list[int] | None
    named: tuple[tuple[str, str], ...] = ()
    waiting: bool = False

    @classmethod
    def of(cls, session: Session, wanted: Filter) -> _Places:
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
        if wanted.hidden is not None:
            hidden = reviews.hidden()
            # each row on the way is looked up: all that are hidden may be many, and were read for each count
            same = hidden.where(ReviewRow.series_instance_uid == SeriesRow.series_instance_uid).exists()
            rest.append(SeriesRow.series_instance_uid.in_(hidden) if wanted.hidden else ~same)
        words, waiting = _words(wanted), wanted.waiting or wanted.pending_since is not None
        if not wanted.text:
            return cls(tuple(rest), _kinds(session, words) if words else None, (), waiting)
        pattern = f"%{escaped(wanted.text)}%"
        columns = (KindRow.series_description, KindRow.protocol_name, KindRow.station_name)
        told = or_(*(column.ilike(pattern, escape="\\") for column in columns))
        kinds = _kinds(session, [told, *words])
        others = [*rest, _KIND.not_in(kinds), *([_KIND.in_(_kinds(session, words))] if words else [])]
        return cls(tuple(rest), kinds, numbers.named(session, wanted.text, others), waiting)

    def number(self, session: Session, outcomes: Sequence[str], most: int | None) -> int:
        """Return how many there are, `most` at most."""
        of_kinds = select(literal(1)).select_from(SeriesRow).where(*self.rest, *_having(outcomes))
        if self.kinds is not None:
            of_kinds = of_kinds.where(self._kind.in_(self.kinds))
        found = session.scalar(select(func.count()).select_from(of_kinds.limit(most).subquery())) or 0
        found += len(self._uids(outcomes))
        return found if most is None else min(found, most)

    def page(self, session: Session, outcomes: Sequence[str], limit: int, offset: int) -> Select[Any]:
        """Return a query for the UIDs of a part of them, the latest first."""
        if self.kinds is None and len(outcomes) == len(FLAGGED):
            return self._merged(outcomes, limit, offset)
        often = self.kinds is None or self.number(session, outcomes, MOST_COUNTED) >= MOST_COUNTED
        if often:
            return self._walk(session, outcomes).limit(limit).offset(offset)
        uids = self._uids(outcomes)
        seldom = _places().where(*self.rest, *_having(outcomes))
        if self.kinds is not None:
            seldom = seldom.where(self._kind.in_(self.kinds))
        ways = [seldom, _places().where(SeriesRow.series_instance_uid.in_(uids))] if uids else [seldom]
        # materialised, so that no database walks through all of time for the sake of the order
        found = union_all(*ways).cte("found").prefix_with("MATERIALIZED")
        return _cut(found, limit, offset)

    @property
    def _kind(self) -> ColumnElement[int | None]:
        return _KIND if self.waiting else SeriesRow.kind_id.expression

    def _uids(self, outcomes: Sequence[str]) -> tuple[str, ...]:
        return tuple(uid for uid, outcome in self.named if not outcomes or outcome in outcomes)

    def _merged(self, outcomes: Sequence[str], limit: int, offset: int) -> Select[Any]:
        """Return a query that takes the latest of each outcome, and the latest of these."""
        latest = [
            _latest_first(_places().where(*self.rest, *_having((outcome,)))).limit(limit + offset).subquery()
            for outcome in outcomes
        ]
        return _cut(union_all(*(select(one) for one in latest)).subquery(), limit, offset)

    def _walk(self, session: Session, outcomes: Sequence[str]) -> Select[Any]:
        """Return a query that goes back in time, from the latest that can match."""
        query = _latest_first(select(SeriesRow.series_instance_uid)).where(*self.rest, *_having(outcomes))
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


def _latest_first(query: Q) -> Q:
    return query.order_by(SeriesRow.last_instance_at.desc(), SeriesRow.series_instance_uid.desc())


def _cut(found: CTE | Subquery, limit: int, offset: int) -> Select[Any]:
    return select(found.c.uid).order_by(found.c.at.desc(), found.c.uid.desc()).limit(limit).offset(offset)


def _rows(session: Session, uids: Select[Any]) -> Sequence[SeriesRow]:
    return session.scalars(_latest_first(select(SeriesRow).where(SeriesRow.series_instance_uid.in_(uids)))).all()


def _having(outcomes: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    if not outcomes:
        return ()
    if len(outcomes) == 1:
        return (SeriesRow.outcome == outcomes[0],)
    if len(outcomes) > len(FLAGGED):  # most of all: no index of outcomes is to be chosen for them
        return (SeriesRow.outcome.not_in([one for one in OUTCOMES if one not in outcomes]),)
    return (SeriesRow.outcome.in_(outcomes),)


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
