"""Rejection notes and their withdrawal: which are to be written, about which images, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, case, not_, or_, select, update
from sqlalchemy.orm import Session

from qagate.domain.obstacle import Obstacle
from qagate.store.events import event
from qagate.store.holding import RELEASED
from qagate.store.revisions import WrittenDocument, latest_revision
from qagate.store.tables import DeliveryRow, DocumentRow, ForwardRow, HoldingRow, InstanceRow, RevisionRow

ASKED, WRITTEN, WITHDRAW, WITHDRAWN, NONE = "asked", "written", "withdraw", "withdrawn", "none"

_GONE = ("sent", "warning", "committed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One note to write. number: 1-based, how often the series was rejected. revision_id: the latest revision."""

    series_instance_uid: str
    withdrawal: bool
    number: int
    by: str
    reason: str
    code: str
    revision_id: int

    @property
    def kind(self) -> str:
        """The kind of the document, as RN1 (rejection) or RW1 (its withdrawal)."""
        return f"{'RW' if self.withdrawal else 'RN'}{self.number % 100}"


def wanted(session: Session) -> tuple[Wanted, ...]:
    """Return the notes that are to be written about series that have a revision."""
    rows = session.scalars(select(HoldingRow).where(HoldingRow.note.in_((ASKED, WITHDRAW)))).all()
    found = []
    for row in rows:
        revision = latest_revision(session, row.series_instance_uid)
        if revision is not None:
            found.append(
                Wanted(
                    row.series_instance_uid,
                    row.note == WITHDRAW,
                    row.rejections,
                    row.decided_by,
                    row.reason,
                    row.rejection_code,
                    revision.id,
                )
            )
    return tuple(found)


def paths(session: Session, series_instance_uid: str) -> tuple[str, ...]:
    """Return the files of a series that are at a PACS: forwarded, or received beside one. In order of arrival."""
    forwards = select(ForwardRow.id).where(ForwardRow.instance_id == InstanceRow.id)
    return tuple(
        session.scalars(
            select(InstanceRow.path)
            .where(
                InstanceRow.series_instance_uid == series_instance_uid,
                InstanceRow.deleted_at.is_(None),
                ~forwards.exists() | forwards.where(ForwardRow.state.in_(_GONE)).exists(),
            )
            .order_by(InstanceRow.id)
        )
    )


def reached(session: Session, series_instance_uid: str, destination: str) -> bool:
    """Return whether a destination has any original of a series from us."""
    return (
        session.scalar(
            select(ForwardRow.id)
            .where(
                ForwardRow.series_instance_uid == series_instance_uid,
                ForwardRow.destination == destination,
                ForwardRow.state.in_(_GONE),
            )
            .limit(1)
        )
        is not None
    )


def told(session: Session, wanted: Wanted) -> tuple[str, ...]:
    """Return the destinations whose last word is a rejection that is to be withdrawn; the others never get one.

    Who was offered a note and did not answer may have taken it; who refused it for good has not. A rejection may have
    been withdrawn and made again before anybody was told of that: so every note counts, not only the last.
    """
    uid = wanted.series_instance_uid
    _stop(session, _notes(uid, "RN"), "the rejection was withdrawn before it was sent")
    offered = and_(DeliveryRow.attempts > 0, not_(_REFUSED))
    rows = session.execute(
        select(DeliveryRow.destination, DocumentRow.kind)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .where(DocumentRow.id.in_(_notes(uid, "RN", "RW")), or_(DeliveryRow.state.in_(_GONE), offered))
        .order_by(DocumentRow.id)
    )
    last = {name: kind for name, kind in rows}  # noqa: C416  # the last of each stays
    return tuple(name for name, kind in last.items() if kind.startswith("RN"))


_REFUSED = DeliveryRow.obstacle == Obstacle.REFUSED


def _notes(series_instance_uid: str, *kinds: str) -> Select[int]:
    """Return a query for the notes about a series. kinds: RN, RW."""
    revisions = select(RevisionRow.id).where(RevisionRow.series_instance_uid == series_instance_uid)
    wanted = or_(*(DocumentRow.kind.startswith(kind, autoescape=True) for kind in kinds))
    return select(DocumentRow.id).where(DocumentRow.revision_id.in_(revisions), wanted)


def _stop(session: Session, notes: Select[int], why: str) -> None:
    """Let notes that were not sent yet go to nobody."""
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.document_id.in_(notes), DeliveryRow.state.in_(("planned", "parked")))
        .values(state="withdrawn", detail=case((_REFUSED, DeliveryRow.detail), else_=why))
    )


def came_late(session: Session, document_id: int) -> None:
    """Have a rejection note withdrawn that was being sent while the rejection was taken back."""
    document = session.get_one(DocumentRow, document_id)
    uid = session.get_one(RevisionRow, document.revision_id).series_instance_uid
    row = session.get(HoldingRow, uid, with_for_update=True)
    if row is not None and row.state == RELEASED and row.note in (NONE, WITHDRAWN):
        row.note = WITHDRAW


def record(
    session: Session, wanted: Wanted, document: WrittenDocument | None, destinations: Sequence[str], *, at: datetime
) -> bool:
    """Record a note and plan its delivery; False when the person has changed their mind since.

    document None: there is nobody to tell.
    """
    row = session.get_one(HoldingRow, wanted.series_instance_uid, with_for_update=True)
    if row.note != (WITHDRAW if wanted.withdrawal else ASKED) or row.rejections != wanted.number:
        return False
    row.note = NONE if document is None else WITHDRAWN if wanted.withdrawal else WRITTEN
    if not wanted.withdrawal:  # a withdrawal that is sent late must not come after it and be the last word
        _stop(session, _notes(wanted.series_instance_uid, "RW"), "the series was rejected again before it was sent")
    if document is None:
        return True
    written = session.scalar(
        select(DocumentRow).where(DocumentRow.revision_id == wanted.revision_id, DocumentRow.kind == document.kind)
    )
    if written is None:
        written = document.recorded(session, wanted.revision_id, at=at)
    have_it = session.scalars(select(DeliveryRow.destination).where(DeliveryRow.document_id == written.id)).all()
    for name in destinations:
        if name not in have_it:
            session.add(DeliveryRow(document_id=written.id, destination=name, state="planned", next_attempt_at=at))
    words = "withdrawal" if wanted.withdrawal else "rejection note"
    event(session, at, "note", wanted.series_instance_uid, f"{words} to {', '.join(destinations)}")
    return True
