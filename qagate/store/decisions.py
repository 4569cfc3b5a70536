"""Decisions of people: taken under a lock, kept for ever, taken back by a later one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.domain.decision import OPINIONS, Decision, Kind, Quality, State, Wish, live, owner, settled, standing
from qagate.domain.holding import Cause
from qagate.domain.verdict import WORDS, Outcome
from qagate.errors import DecisionRefused, DecisionStale, NothingWaits
from qagate.store import audit, holding, reviews
from qagate.store.events import event
from qagate.store.tables import DecisionRow, ReviewRow, SeriesRow


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one series stands with people. version 0: nobody was asked and nobody said anything.

    revision: the latest that was judged, None when there is none. hidden: the verdict is hidden from people now.
    """

    version: int
    revision: int | None
    state: State
    hidden: bool
    decisions: tuple[Decision, ...]


def of(session: Session, uid: str, *, two_person: bool = False) -> Standing:
    """Return where a series stands, and all decisions on it, oldest first.

    two_person: whether a rejection before there is a verdict takes two; after one that is settled when it is decided.
    """
    row = session.get(ReviewRow, uid)
    decisions = listed(session, uid)
    if row is None:
        judged = reviews.judged(session, uid)
        state = State.UNASKED if judged else standing(decisions, 0, asked=False, two_person=two_person)
        return Standing(0, judged.number if judged else None, state, False, decisions)
    return Standing(row.version, row.revision, State(row.state), reviews.hides(row), decisions)


def listed(session: Session, uid: str) -> tuple[Decision, ...]:
    """Return all decisions on a series, oldest first."""
    rows = session.scalars(
        select(DecisionRow).where(DecisionRow.series_instance_uid == uid).order_by(DecisionRow.id)
    ).all()
    return _decisions(rows)


def since(session: Session, moment: datetime) -> tuple[Decision, ...]:
    """Return all decisions since a time, oldest first; each says whether it was taken back."""
    rows = session.scalars(select(DecisionRow).where(DecisionRow.at >= moment).order_by(DecisionRow.id)).all()
    return _decisions(rows)


def decide(
    session: Session,
    uid: str,
    wish: Wish,
    *,
    person: str,
    version: int | None,
    at: datetime,
    two_person: bool = False,
    cause: Cause = Cause.PERSON,
) -> Decision:
    """Take a decision on the latest judged revision of a series and return it.

    A rejection that stands keeps held images back, a release lets them go: both also before there is a verdict.
    version: of the series as the person saw it; None when they named it without having looked at it here.
    cause: of a release, whether they meant this series or everything. Raises
    DecisionStale when it has another one by now, NothingWaits when there is nothing to release, and DecisionRefused
    when there is no such series or no verdict on it, or when the wish makes no sense for it.
    """
    row = _locked(session, uid, version)
    if row is None and wish.kind in (Kind.RELEASE, Kind.REJECT) and not _has_verdict(session, uid):
        return _decide_unjudged(session, uid, wish, person=person, at=at, two_person=two_person, cause=cause)
    row = row or reviews.unasked(session, session.get_one(SeriesRow, uid))
    hidden, outcome = reviews.hides(row), Outcome(row.outcome)
    quality = settled(wish, outcome, hidden=hidden)
    taken = DecisionRow(
        series_instance_uid=uid,
        at=at,
        person=person,
        kind=str(wish.kind),
        reason=wish.reason,
        quality=quality or "",
        note=wish.note.strip(),
        revision=row.revision,
        outcome=row.outcome,
        score=row.score,
        policy=row.policy,
        model=row.model,
        blind=hidden and not _was_shown(session, row, person),
    )
    session.add(taken)
    session.flush()
    if wish.kind is Kind.RELEASE:
        _release(session, uid, person=person, note=taken.note, at=at, cause=cause)
    _settle(session, row, taken, two_person)
    audit.record(session, person, f"decided_{wish.kind}", uid, f"decision {taken.id}, revision {row.revision}", at)
    event(session, at, "decided", uid, f"{wish.kind} on revision {row.revision}")
    return _decisions([taken])[0]


def undo(
    session: Session,
    uid: str,
    number: int,
    *,
    person: str,
    at: datetime,
    within: timedelta,
    anybody: bool = False,
    two_person: bool = False,
) -> Decision:
    """Take a decision back by a new one, and return that.

    anybody: the person may take back what others decided. Raises DecisionRefused when there is no such decision, when
    it was taken back already, is somebody else's or older than `within`, or cannot be taken back.
    """
    session.get(SeriesRow, uid, with_for_update=True)  # always before its review, as all who write both do
    row = session.get(ReviewRow, uid, with_for_update=True)
    taken = next((d for d in listed(session, uid) if d.id == number), None)
    if taken is not None and taken.kind in _IRREVOCABLE:
        raise DecisionRefused(f"{_IRREVOCABLE[taken.kind]} cannot be taken back, got decision {number}")
    if row is None or taken is None:
        raise DecisionRefused(f"there is no such decision on this series, got {number}")
    if taken.undone:
        raise DecisionRefused(f"this decision was taken back already, got {number}")
    if owner(taken.person) != owner(person) and not anybody:
        raise DecisionRefused(f"only who decided can take it back: {taken.person} did, got {person}")
    if at - taken.at > within:
        minutes = within.total_seconds() / 60
        raise DecisionRefused(f"a decision can be taken back for {minutes:g} minutes; decide anew, got {number}")
    back = DecisionRow(
        series_instance_uid=uid,
        at=at,
        person=person,
        kind=str(Kind.UNDO),
        revision=taken.revision,
        outcome=str(taken.outcome or ""),
        score=taken.score,
        policy=taken.policy,
        model=taken.model,
        blind=taken.blind,
        undoes=number,
    )
    session.add(back)
    session.flush()
    _settle(session, row, back, two_person)
    audit.record(session, person, "decided_undo", uid, f"decision {number}, {taken.kind}, of {taken.person}", at)
    event(session, at, "decided", uid, f"{taken.kind} on revision {taken.revision} was taken back")
    return _decisions([back])[0]


_IRREVOCABLE = {Kind.UNDO: "an undo", Kind.RELEASE: "a release: the images are on their way and"}


def _release(session: Session, uid: str, *, person: str, note: str, at: datetime, cause: Cause) -> None:
    if not holding.release(session, uid, by=person, reason=note, at=at, cause=cause):
        raise NothingWaits("the images of this series do not wait: there is nothing to release, got kind 'release'")


def _decide_unjudged(
    session: Session, uid: str, wish: Wish, *, person: str, at: datetime, two_person: bool, cause: Cause
) -> Decision:
    """Let images go, or keep them back, before there is a verdict: no version changes, and it is no opinion on one."""
    settled(wish, Outcome.UNSCORED, hidden=False)
    was = standing(listed(session, uid), 0, asked=False, two_person=two_person)
    note = wish.note.strip()
    taken = DecisionRow(
        series_instance_uid=uid, at=at, person=person, kind=str(wish.kind), reason=wish.reason, note=note, revision=0,
        outcome="",
    )  # fmt: skip
    session.add(taken)
    session.flush()
    if wish.kind is Kind.RELEASE:
        _release(session, uid, person=person, note=note, at=at, cause=cause)
    _follow(session, taken, was, standing(listed(session, uid), 0, asked=False, two_person=two_person))
    audit.record(session, person, f"decided_{wish.kind}", uid, f"decision {taken.id}, before a verdict", at)
    event(session, at, "decided", uid, f"{wish.kind} before a verdict")
    return _decisions([taken])[0]


def _locked(session: Session, uid: str, version: int | None) -> ReviewRow | None:
    """Return the row of a series, locked; None for a series that nobody was asked about."""
    series = session.get(SeriesRow, uid, with_for_update=True)
    if series is None:
        raise DecisionRefused(f"there is no series with this UID, got {uid}")
    row = session.get(ReviewRow, uid, with_for_update=True)
    if version is not None and (row.version if row else 0) != version:
        raise DecisionStale(_changed(session, uid, row, version))
    return row


def _was_shown(session: Session, row: ReviewRow, person: str) -> bool:
    """Return whether a person was shown this verdict before: they gave an opinion, and took it back."""
    return any(
        d.kind in OPINIONS and d.revision == row.revision and owner(d.person) == owner(person)
        for d in listed(session, row.series_instance_uid)
    )


def _changed(session: Session, uid: str, row: ReviewRow | None, version: int) -> str:
    last = next(reversed(listed(session, uid)), None)
    if row is None or last is None or last.revision != row.revision:
        word = "hidden" if reviews.hides(row) else WORDS[Outcome(row.outcome)] if row else ""
        what = f"it was judged anew: revision {row.revision}, {word}" if row else "nobody decided"
    else:
        what = f"{last.person} decided: {last.kind}, {last.at.astimezone():%H:%M:%S}"
    now = row.version if row else 0
    return f"this series changed since you looked ({what}); look again, then decide, got version {version}, now {now}"


def _has_verdict(session: Session, uid: str) -> bool:
    return bool(session.get_one(SeriesRow, uid).outcome) and reviews.judged(session, uid) is not None


def _settle(session: Session, row: ReviewRow, taken: DecisionRow, two_person: bool) -> None:
    """Let a series stand where its decisions put it, its images with it."""
    uid, was = row.series_instance_uid, State(row.state)
    row.state = standing(listed(session, uid), row.revision, asked=row.asked, two_person=two_person)
    row.version += 1
    session.flush()
    _follow(session, taken, was, State(row.state), row.revision)


def _follow(session: Session, taken: DecisionRow, was: State, now: State, revision: int = 0) -> None:
    """Let images follow what a decision made of their series."""
    uid = taken.series_instance_uid
    if was is not State.REJECTED and now is State.REJECTED:
        # not what was decided now: where that took an opinion back, the rejection before it stands again
        said = live(listed(session, uid), revision)[-1]
        holding.reject(session, uid, by=said.person, reason=said.note, at=taken.at, code=said.reason)
    elif was is State.REJECTED and now is not State.REJECTED and taken.kind != Kind.RELEASE:
        holding.release(session, uid, by=taken.person, reason="the rejection was taken back", at=taken.at)


def _decisions(rows: Sequence[DecisionRow]) -> tuple[Decision, ...]:
    undone = {row.undoes for row in rows}
    return tuple(
        Decision(
            id=row.id,
            series_instance_uid=row.series_instance_uid,
            at=row.at,
            person=row.person,
            kind=Kind(row.kind),
            reason=row.reason,
            quality=Quality(row.quality) if row.quality else None,
            note=row.note,
            revision=row.revision,
            outcome=Outcome(row.outcome) if row.outcome else None,
            score=row.score,
            model=row.model,
            policy=row.policy,
            blind=row.blind,
            undoes=row.undoes,
            undone=row.id in undone,
        )
        for row in rows
    )


def opinions(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Return the opinions that stand: of each person on each series the last one that nobody took back.

    A rejection that a release ended is among them: images that had to be read all the same are no better for it.
    """
    last = {(d.series_instance_uid, owner(d.person)): d for d in decisions if d.kind in OPINIONS and not d.undone}
    return tuple(sorted(last.values(), key=lambda d: d.id))
