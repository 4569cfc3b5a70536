"""Lists of series that stay quick over millions: what to look at, how many there are, and what to narrow them by.

A filter is answered by the way in that fits it: the words that series share are looked up among their kinds
(tables/kind.py), accession numbers and UIDs by their own index. What matches seldom is then fetched and sorted; what
matches often is found by walking back in time. Nothing is counted beyond MOST_COUNTED. Figures: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, true, union
from sqlalchemy.orm import Session

from qagate.store import reviews
from qagate.store.tables import KindRow, SeriesRow

MOST_COUNTED = 10_000
"""A count ends here: "10 000 or more" tells a person as much as the number, and takes no second."""

MOST_NAMED = 1000
"""More series than this are not taken out of an index of accession numbers one by one."""

FLAGGED = ("reject", "review")
OUTCOMES = ("reject", "review", "unscored", "accept", "")
"""All outcomes of a series, "" = none yet."""

TAIL = 4
"""Characters at the end of an accession number by which it is found; as many as the pages show."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which series to list; an empty value does not narrow. outcome may also be "flagged" (review or reject) or "todo"
    (waits for a person). unveiled: without those whose verdict is hidden from people.

    organ: a word of the region or the organ. scanner: station name or calling AE title. text: a part of description,
    protocol or station, the beginning or the end of an accession number, or a whole UID. since, until: bounds of the
    time of the last image, the first included, the second not.
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
    unveiled: bool = False

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
    session: Session, wanted: Filter, *, limit: int = 50, offset: int = 0, flagged_first: bool = False
) -> Sequence[SeriesRow]:
    """Return series, the latest first; with flagged_first what a person should look at stands before all else."""
    places = _Places.of(session, wanted)
    if not flagged_first:
        return _rows(session, places.page(session, wanted.outcomes, limit, offset))
    found: list[SeriesRow] = []
    for outcomes in (("reject",), ("review",), ("unscored", "accept", "")):
        if wanted.outcomes and not set(outcomes) <= set(wanted.outcomes):
            continue
        found += _rows(session, places.page(session, outcomes, limit - len(found), offset))
        if len(found) == limit:
            break
        offset = 0 if found else offset - places.number(session, outcomes, None) if offset else 0
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

    rest: conditions on the series themselves. kinds: which kinds match, None = all do. uids: series that match by their
    accession number or UID instead. prefix: the same for a beginning of accession numbers that too many have. few: the
    rest finds them quickly, however long ago they came.
    """

    rest: tuple[ColumnElement[bool], ...]
    kinds: Select[Any] | None
    uids: tuple[str, ...] = ()
    prefix: ColumnElement[bool] | None = None
    few: bool = False

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
            rest.append(SeriesRow.series_instance_uid.in_(reviews.waiting()))
        if wanted.unveiled:
            rest.append(SeriesRow.series_instance_uid.not_in(reviews.hidden()))
        words = _words(wanted)
        if not wanted.text:
            return cls(tuple(rest), select(KindRow.id).where(*words) if words else None, few=wanted.waiting)
        pattern = f"%{_escaped(wanted.text)}%"
        columns = (KindRow.series_description, KindRow.protocol_name, KindRow.station_name)
        told = or_(*(column.ilike(pattern, escape="\\") for column in columns))
        if words:
            rest.append(SeriesRow.kind_id.in_(select(KindRow.id).where(*words)))
        uids, prefix = _named(session, wanted.text)
        return cls(tuple(rest), select(KindRow.id).where(told, *words), uids, prefix, wanted.waiting)

    def number(self, session: Session, outcomes: Sequence[str], most: int | None) -> int:
        """Return how many there are, `most` at most."""
        ways = self._ways(outcomes, most)
        found = ways[0] if len(ways) == 1 else union(*(select(way.subquery()) for way in ways)).limit(most)
        return session.scalar(select(func.count()).select_from(found.subquery())) or 0

    def page(self, session: Session, outcomes: Sequence[str], limit: int, offset: int) -> Select[Any]:
        """Return a query for the UIDs of a part of them, the latest first."""
        often = self.kinds is None or self.number(session, outcomes, MOST_COUNTED) >= MOST_COUNTED
        if often and not self.few:
            return self._walk(session, outcomes).limit(limit).offset(offset)
        ways = [way.add_columns(SeriesRow.last_instance_at.label("at")) for way in self._ways(outcomes, None)]
        # materialised, so that no database walks through all of time for the sake of the order
        found = (ways[0] if len(ways) == 1 else union(*ways)).cte("found").prefix_with("MATERIALIZED")
        return select(found.c.uid).order_by(found.c.at.desc(), found.c.uid.desc()).limit(limit).offset(offset)

    def _ways(self, outcomes: Sequence[str], most: int | None) -> list[Select[Any]]:
        conditions = (*self.rest, *_having(outcomes))
        ways: list[ColumnElement[bool]] = []
        if self.kinds is not None:
            ways.append(SeriesRow.kind_id.in_(self.kinds))
        if self.uids:
            ways.append(SeriesRow.series_instance_uid.in_(self.uids))
        if self.prefix is not None:
            ways.append(self.prefix)
        return [_uids().where(way, *conditions).limit(most) for way in ways or [true()]]

    def _walk(self, session: Session, outcomes: Sequence[str]) -> Select[Any]:
        """Return a query that goes back in time, from the latest that can match."""
        query = _uids().order_by(SeriesRow.last_instance_at.desc(), SeriesRow.series_instance_uid.desc())
        query = query.where(*self.rest, *_having(outcomes))
        if self.kinds is None:
            return query
        # the sum keeps the database from gathering all of these kinds first, to sort them then
        matching = [(SeriesRow.kind_id + 0).in_(self.kinds)]
        if self.uids:
            matching.append(SeriesRow.series_instance_uid.in_(self.uids))
        if self.prefix is not None:
            return query.where(or_(*matching, self.prefix))
        return query.where(or_(*matching), SeriesRow.last_instance_at <= self._latest(session, outcomes))

    def _latest(self, session: Session, outcomes: Sequence[str]) -> datetime:
        """Return the time of the latest that can match: a scanner may have been gone for years."""
        assert self.kinds is not None
        kinds = self.kinds.subquery()
        of_kind = [
            select(func.max(SeriesRow.last_instance_at))
            .where(SeriesRow.kind_id == kinds.c.id, SeriesRow.outcome == outcome)
            .scalar_subquery()
            for outcome in outcomes or OUTCOMES
        ]
        times = list(session.execute(select(*(func.max(one) for one in of_kind)).select_from(kinds)).one())
        if self.uids:
            times.append(
                session.scalar(
                    select(func.max(SeriesRow.last_instance_at)).where(SeriesRow.series_instance_uid.in_(self.uids))
                )
            )
        latest: datetime = max(time for time in times if time is not None)
        return latest


def _uids() -> Select[Any]:
    return select(SeriesRow.series_instance_uid.label("uid"))


def _rows(session: Session, uids: Select[Any]) -> Sequence[SeriesRow]:
    return session.scalars(
        select(SeriesRow)
        .where(SeriesRow.series_instance_uid.in_(uids))
        .order_by(SeriesRow.last_instance_at.desc(), SeriesRow.series_instance_uid.desc())
    ).all()


def _having(outcomes: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    if not outcomes:
        return ()
    return (SeriesRow.outcome == outcomes[0] if len(outcomes) == 1 else SeriesRow.outcome.in_(outcomes),)


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
        words.append(KindRow.protocol_name == wanted.protocol)
    return words


def _named(session: Session, text: str) -> tuple[tuple[str, ...], ColumnElement[bool] | None]:
    """Return the series whose accession number or UID is meant, or the condition for them when there are too many."""
    tail = text[-TAIL:].lower()
    ending = SeriesRow.accession_number.ilike(f"%{_escaped(text)}", escape="\\")
    prefix = _beginning(session, text)
    found: set[str] = set()
    for conditions in (
        (SeriesRow.series_instance_uid == text,),
        (SeriesRow.study_instance_uid == text,),
        (SeriesRow.accession_tail == tail, ending),
        (prefix,),
    ):
        if len(text) >= TAIL:
            found.update(session.scalars(_uids().where(*conditions).limit(MOST_NAMED + 1)))
    return (tuple(sorted(found)), None) if len(found) <= MOST_NAMED else ((), or_(prefix, ending))


def _beginning(session: Session, text: str) -> ColumnElement[bool]:
    """Return the condition that an accession number begins with a text, as typed or in capitals."""
    beginnings = sorted({text, text.upper()})
    if session.get_bind().dialect.name == "postgresql":
        return or_(*(SeriesRow.accession_number.like(f"{_escaped(one)}%", escape="\\") for one in beginnings))
    return or_(*(SeriesRow.accession_number.between(one, one + "\U0010ffff") for one in beginnings))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
