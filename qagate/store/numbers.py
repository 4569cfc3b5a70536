"""Numbers: the series that are meant by an accession number, a part of one, or a UID; each by its own index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, literal_column, or_, select
from sqlalchemy.orm import Session

from qagate.store.tables import SeriesRow

MOST_NAMED = 1000
"""Of a beginning of accession numbers that more series share, those with the highest numbers are listed."""

TAIL = 4
"""Characters at the end of an accession number by which it is found; as many as the pages show."""


_NUMBER = SeriesRow.accession_number + ""
"""Where another index is the way in: the sum keeps the database from reading all that share a beginning."""


def named(
    session: Session, text: str, conditions: Sequence[ColumnElement[bool]], *, few: bool = False
) -> tuple[tuple[str, str, bool], ...]:
    """Return the series whose accession number or UID is meant, as (UID, outcome, whether its verdict is hidden).

    few: the conditions have an index of their own and leave few; of a beginning these are read, not all that share it.
    """
    if len(text) < TAIL:
        return ()
    ending = SeriesRow.accession_number.ilike(f"%{escaped(text)}", escape="\\")
    found: dict[str, tuple[str, str, bool]] = {}
    for way in (
        SeriesRow.series_instance_uid == text,
        SeriesRow.study_instance_uid == text,
        and_(SeriesRow.accession_tail == text[-TAIL:].lower(), ending),
        _beginning(session, text, _NUMBER if few else SeriesRow.accession_number.expression),
    ):
        rows = session.execute(
            select(SeriesRow.series_instance_uid, SeriesRow.outcome, SeriesRow.hidden)
            .where(way, *conditions)
            .order_by(_NUMBER.desc() if few else _highest_first(session))
            .limit(MOST_NAMED)
        )
        found.update((row.series_instance_uid, (row.series_instance_uid, row.outcome, row.hidden)) for row in rows)
    return tuple(found.values())


def _beginning(session: Session, text: str, number: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that an accession number begins with a text, as typed or in capitals."""
    beginnings = sorted({text, text.upper()})
    if session.get_bind().dialect.name == "postgresql":
        return or_(*(number.like(f"{escaped(one)}%", escape="\\") for one in beginnings))
    return or_(*(number.between(one, one + "\U0010ffff") for one in beginnings))


def _highest_first(session: Session) -> ColumnElement[Any]:
    """Return the order of accession numbers, byte by byte, that their index holds: no sorting of all that match."""
    if session.get_bind().dialect.name == "postgresql":
        return literal_column("series.accession_number USING ~>~")  # what text_pattern_ops calls descending
    return SeriesRow.accession_number.desc()


def escaped(text: str) -> str:
    """Return a text in which what LIKE takes for a placeholder is a letter."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
