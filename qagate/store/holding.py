"""What is held, and who let it go: every change of mind about a series' images goes through here.

A series is `held` until something or somebody lets it go (`release`), or a person keeps it back (`reject`). A rejected
series stays in the spool and can still be released. Each call is one short transaction of the caller's; two at once
are put in order by the row's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from qagate.domain.holding import CAUSE_WORDS, Cause, Held
from qagate.domain.holding import note as words_for_the_report
from qagate.domain.verdict import Action, Outcome
from qagate.store import audit, destinations
from qagate.store.events import event
from qagate.store.tables import AssessmentRow, ForwardRow, HoldingRow, InstanceRow, RevisionRow, SeriesRow

HELD, RELEASED, REJECTED = "held", "released", "rejected"

MOST_LOOKED_AT = 20_000
"""Images without a decision that are looked at together."""

MOST_WORDS = 500
"""Longest reason of a person that is kept."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A series whose images wait: since when, until when at the latest, and under which policy."""

    series_instance_uid: str
    policy: str
    held_at: datetime
    until: datetime


def get(session: Session, series_instance_uid: str) -> HoldingRow | None:
    """Return what is known about the holding of a series; None when it was never asked for."""
    return session.get(HoldingRow, series_instance_uid)


def note(session: Session, series_instance_uid: str, *, waits: bool) -> str:
    """Return the sentence about the images of a series for its report; see qagate.domain.holding.note."""
    row = get(session, series_instance_uid)
    if row is None:
        return ""
    return words_for_the_report(
        state=row.state,
        cause=row.cause,
        until=row.until,
        decided_at=row.decided_at,
        policy=row.policy,
        waits=waits,
    )


def waiting(session: Session) -> tuple[Waiting, ...]:
    """Return every series that is held now, the one with the next deadline first."""
    rows = session.scalars(select(HoldingRow).where(HoldingRow.state == HELD).order_by(HoldingRow.until))
    return tuple(Waiting(r.series_instance_uid, r.policy, r.held_at, r.until or r.held_at) for r in rows)


def hold(session: Session, series_instance_uid: str, *, policy: str, at: datetime, until: datetime) -> bool:
    """Let the images of a new series wait; False when something was decided about it already."""
    if _locked(session, series_instance_uid) is not None:
        return False
    session.add(HoldingRow(series_instance_uid=series_instance_uid, state=HELD, policy=policy, held_at=at, until=until))
    _show(session, series_instance_uid, HELD, until)
    event(
        session, at, "held", series_instance_uid, f"until {until:%Y-%m-%d %H:%M:%S} UTC at the latest; policy {policy}"
    )
    return True


def restamp(session: Session, series_instance_uid: str, *, at: datetime, until: datetime) -> None:
    """Count the time of a held series anew, after the clock stepped back."""
    row = _locked(session, series_instance_uid)
    if row is not None and row.state == HELD:
        row.held_at, row.until = at, until
        _show(session, series_instance_uid, HELD, until)


def let_go(session: Session, series_instance_uid: str, cause: Cause, *, at: datetime) -> bool:
    """Let the images of a series go for a reason that is not a person's; False when they do not wait."""
    row = _locked(session, series_instance_uid)
    if row is None:
        row = HoldingRow(series_instance_uid=series_instance_uid, state=HELD, held_at=at)
        session.add(row)
    if row.state != HELD:
        return False
    _release(session, row, cause, by="", reason="", at=at)
    return True


def release(
    session: Session,
    series_instance_uid: str,
    *,
    by: str,
    reason: str,
    at: datetime,
    cause: Cause = Cause.PERSON,
) -> bool:
    """Let the images of a held or rejected series go because a person says so; False when there is nothing to release.

    by: name of the person, for the trail. reason: in their words, may be empty. cause: whether they meant this series
    or everything. What a rejection note said is withdrawn at destinations with withdrawal_notes.
    """
    row = _locked(session, series_instance_uid)
    if row is None or row.state == RELEASED:
        return False
    _release(session, row, cause, by=by, reason=reason, at=at)
    audit.record(session, by, "series_released", series_instance_uid, cut(reason), at)
    return True


def reject(session: Session, series_instance_uid: str, *, by: str, reason: str, at: datetime, code: str = "") -> bool:
    """Record that a person rejects a series, after they confirmed it; False when there is no such series.

    Images that are still held stay in the spool: no deadline lets them go, a person can. Images that are at the PACS
    already stay there: only destinations with rejection_notes = true get a rejection note (113001, DCM), and only of
    images that they have. Images that come later are forwarded at once. code: a name under `ko_reasons` of
    report/codes.yaml for the note, empty for the dominant reason. Rejecting again changes nothing but the trail.
    """
    series = session.get(SeriesRow, series_instance_uid)
    if series is None:
        return False
    row = _locked(session, series_instance_uid)
    if row is None:
        row = HoldingRow(series_instance_uid=series_instance_uid, state=RELEASED, held_at=at, rejections=0)
        session.add(row)
    again = row.state == REJECTED
    row.state, row.until, row.cause = REJECTED, None, Cause.REJECTED
    row.decided_at, row.decided_by, row.reason, row.rejection_code = at, by[:64], cut(reason), code[:64]
    if not again:
        row.rejections, row.note = row.rejections + 1, "asked"
    session.execute(
        update(ForwardRow)
        .where(ForwardRow.series_instance_uid == series_instance_uid, ForwardRow.state == HELD)
        .values(state=REJECTED)
    )
    _show(session, series_instance_uid, REJECTED, None)
    event(session, at, "rejected", series_instance_uid, _by(by, reason))
    audit.record(session, by, "series_rejected", series_instance_uid, cut(reason), at)
    return True


@dataclass(frozen=True, slots=True)
class First:
    """The first object of a series about which nothing was decided yet."""

    series_instance_uid: str
    path: str
    sop_class_uid: str
    modality: str
    calling_ae_title: str
    received_at: datetime


def undecided(session: Session, limit: int = 200) -> tuple[First, ...]:
    """Return the first object of each series with originals that wait and about which nothing was decided yet."""
    known = select(HoldingRow.state).where(HoldingRow.series_instance_uid == ForwardRow.series_instance_uid)
    # not grouped at once: SQLite would go through all that ever were forwarded, in the order of their series
    waiting = select(ForwardRow.series_instance_uid).where(*_waiting(session), ~known.exists()).limit(MOST_LOOKED_AT)
    uids = list(dict.fromkeys(session.scalars(waiting)))[:limit]
    if not uids:
        return ()
    firsts = (
        select(func.min(ForwardRow.instance_id))
        .where(ForwardRow.series_instance_uid.in_(uids), ForwardRow.state == HELD)
        .group_by(ForwardRow.series_instance_uid)
    )
    rows = session.execute(
        select(
            SeriesRow.series_instance_uid,
            InstanceRow.path,
            InstanceRow.sop_class_uid,
            SeriesRow.modality,
            SeriesRow.calling_ae_title,
            InstanceRow.received_at,
        )
        .join(SeriesRow, SeriesRow.series_instance_uid == InstanceRow.series_instance_uid)
        .where(InstanceRow.id.in_(firsts))
        .order_by(InstanceRow.id)
    )
    return tuple(First(*row) for row in rows)


def held(session: Session) -> tuple[tuple[str, Held], ...]:
    """Return every series that is held now, with the facts that may let it go."""
    rows = session.execute(
        select(HoldingRow, SeriesRow.state, SeriesRow.revision)
        .join(SeriesRow, SeriesRow.series_instance_uid == HoldingRow.series_instance_uid)
        .where(HoldingRow.state == HELD)
        .order_by(HoldingRow.until)
    ).all()
    return tuple(
        (
            row.series_instance_uid,
            Held(
                row.held_at, row.until or row.held_at, state, _answers(session, row.series_instance_uid, number, state)
            ),
        )
        for row, state, number in rows
    )


def _answers(session: Session, uid: str, number: int, state: str) -> tuple[tuple[Outcome, Action], ...]:
    if state not in ("scored", "delivered"):
        return ()
    rows = session.execute(
        select(AssessmentRow.outcome, AssessmentRow.document["policy"]["action"].as_string())
        .join(RevisionRow, RevisionRow.id == AssessmentRow.revision_id)
        .where(RevisionRow.series_instance_uid == uid, RevisionRow.number == number)
    )
    try:
        return tuple((Outcome(outcome), Action(action)) for outcome, action in rows)
    except ValueError:  # a word of a newer release: as good as no verdict, and the deadline lets go
        return ()


def _waiting(session: Session) -> tuple[ColumnElement[bool], ...]:
    """The originals that wait; without the destinations each look would go through all that ever were forwarded."""
    return ForwardRow.destination.in_(destinations.of_images(session)), ForwardRow.state == HELD


def _late(session: Session) -> tuple[ColumnElement[bool], ...]:
    of_its_series = HoldingRow.series_instance_uid == ForwardRow.series_instance_uid
    decided = select(HoldingRow.state).where(of_its_series, HoldingRow.state.in_((RELEASED, REJECTED)))
    return *_waiting(session), decided.exists()


def any_late(session: Session) -> bool:
    """Return whether originals came after their series was released or rejected."""
    return session.scalar(select(ForwardRow.id).where(*_late(session)).limit(1)) is not None


def late(session: Session, *, at: datetime) -> int:
    """Plan the originals that came after their series was released or rejected; returns how many."""
    return len(
        session.execute(
            update(ForwardRow)
            .where(*_late(session))
            .values(state="planned", next_attempt_at=at)
            .returning(ForwardRow.id)
        ).all()
    )


def _release(session: Session, row: HoldingRow, cause: Cause, *, by: str, reason: str, at: datetime) -> None:
    row.note = {"asked": "", "written": "withdraw"}.get(row.note, row.note)  # an unwritten note is not written any more
    row.state, row.until, row.cause = RELEASED, None, cause
    row.decided_at, row.decided_by, row.reason = at, by[:64], cut(reason)
    session.execute(
        update(ForwardRow)
        .where(
            ForwardRow.series_instance_uid == row.series_instance_uid,
            ForwardRow.state.in_((HELD, REJECTED)),
        )
        .values(state="planned", next_attempt_at=at, urgent=cause is Cause.STAT)
    )
    _show(session, row.series_instance_uid, RELEASED, None)
    words = CAUSE_WORDS[cause]
    event(session, at, "released", row.series_instance_uid, f"{words}; {_by(by, reason)}" if by else words)


def _locked(session: Session, series_instance_uid: str) -> HoldingRow | None:
    return session.get(HoldingRow, series_instance_uid, with_for_update=True)


def _show(session: Session, series_instance_uid: str, state: str, until: datetime | None) -> None:
    session.execute(
        update(SeriesRow)
        .where(SeriesRow.series_instance_uid == series_instance_uid)
        .values(holding=state, held_until=until)
    )


def _by(by: str, reason: str) -> str:
    return f"by {by}: {cut(reason)}" if reason.strip() else f"by {by}"


def cut(reason: str) -> str:
    """Return as much of a person's reason as is kept, in one line."""
    return " ".join(reason.split())[:MOST_WORDS]
