"""Limits that people set over the settings' policies, and what limits would have flagged.

Precedence: a standing site limit for the modality and protocol over review_below of the settings' policy that matches;
everything else of that policy stays. Series that were judged before keep their verdict.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.domain.budget import Tally
from qagate.domain.decision import Quality
from qagate.domain.limit import SiteLimit
from qagate.errors import DecisionRefused
from qagate.store import audit, decisions
from qagate.store.tables import ReviewRow, SeriesRow, SiteLimitRow
from qagate.store.worklist import unveiled


def standing(session: Session) -> tuple[SiteLimit, ...]:
    """Return the limits that are in force: of each modality and protocol the last one that was not taken back."""
    rows = history(session)
    undone = {row.undoes for row in rows}
    found: dict[tuple[str, str], SiteLimit] = {}
    for row in rows:  # the latest first
        if row.undoes is None and row.id not in undone:
            key = (row.modality.casefold(), row.protocol.casefold())
            found.setdefault(key, SiteLimit(row.id, row.modality, row.protocol, row.review_below))
    return tuple(found.values())


def history(session: Session) -> Sequence[SiteLimitRow]:
    """Return every limit that was set or taken back, the latest first."""
    return session.scalars(select(SiteLimitRow).order_by(SiteLimitRow.id.desc())).all()


def apply(
    session: Session, modality: str, protocol: str, review_below: float, *, person: str, at: datetime, basis: str = ""
) -> SiteLimitRow:
    """Set a limit for a protocol; series that are judged from now on are flagged below it. Raises DecisionRefused."""
    if not protocol.strip():
        raise DecisionRefused("a limit needs the protocol that it is for, got none")
    row = SiteLimitRow(
        at=at,
        person=person,
        modality=modality.strip(),
        protocol=protocol.strip(),
        review_below=review_below,
        basis=basis,
    )
    session.add(row)
    session.flush()
    audit.record(session, person, "limit_set", "", f"limit {row.id}: {modality} {protocol} below {review_below:g}", at)
    return row


def undo(session: Session, number: int, *, person: str, at: datetime) -> SiteLimitRow:
    """Take a limit back by a new row: the one before it, or the settings' own, is in force again.

    Raises DecisionRefused when there is no such limit or it was taken back already.
    """
    row = session.get(SiteLimitRow, number)
    if row is None or row.undoes is not None:
        raise DecisionRefused(f"there is no such limit, got {number}")
    if session.scalar(select(SiteLimitRow.id).where(SiteLimitRow.undoes == number)) is not None:
        raise DecisionRefused(f"this limit was taken back already, got {number}")
    back = SiteLimitRow(
        at=at,
        person=person,
        modality=row.modality,
        protocol=row.protocol,
        review_below=row.review_below,
        undoes=number,
    )
    session.add(back)
    session.flush()
    audit.record(session, person, "limit_undone", "", f"limit {number}: {row.modality} {row.protocol}", at)
    return back


def tallies(
    session: Session, *, since: datetime, limit_of: Callable[[SeriesRow], float], veiled: bool = False
) -> list[Tally]:
    """Return the scored series of each protocol since a time, those with the most first.

    limit_of: the limit that would apply to a series now; asked once for each protocol, with its latest series. veiled:
    without series whose verdict is hidden; one that is alone with its protocol would be told by a try of each limit.
    """
    found = session.execute(
        select(SeriesRow.series_instance_uid, SeriesRow.modality, SeriesRow.protocol_name, SeriesRow.score, _OTHERWISE)
        .outerjoin(ReviewRow, ReviewRow.series_instance_uid == SeriesRow.series_instance_uid)
        .where(SeriesRow.last_instance_at >= since, SeriesRow.score.is_not(None), SeriesRow.protocol_name != "")
        .where(*unveiled(veiled))
        .order_by(SeriesRow.last_instance_at.desc())
    )
    said = _said(session, since)
    newest: dict[tuple[str, str], str] = {}
    counts: dict[tuple[str, str], dict[str, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for uid, modality, protocol, score, otherwise in found:
        key, whole = (modality, protocol), int(score or 0)
        newest.setdefault(key, uid)
        counts[key]["scored"][whole] += 1
        if otherwise:
            counts[key]["otherwise"][whole] += 1
        if uid in said:
            counts[key]["good" if said[uid] is Quality.GOOD else "bad"][whole] += 1
    rows = {key: session.get_one(SeriesRow, uid) for key, uid in newest.items()}
    made = [
        Tally(*key, limit_of(rows[key]), n["scored"], n["otherwise"], n["bad"], n["good"]) for key, n in counts.items()
    ]
    return sorted(made, key=lambda tally: (-tally.count, tally.modality, tally.protocol))


_OTHERWISE = ReviewRow.outcome.in_(("review", "reject")) & (SeriesRow.score >= ReviewRow.limit)
"""Flagged although the score was good enough: for an artefact or a finding."""


def _said(session: Session, since: datetime) -> dict[str, Quality]:
    """Return Series Instance UID → the last opinion on it that stands."""
    opinions = decisions.opinions(decisions.since(session, since))
    return {d.series_instance_uid: d.quality for d in opinions if d.quality is not None}
