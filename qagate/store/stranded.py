"""What is stranded: images and documents for a destination that the settings do not name any more.

Nobody would ever send it. It is parked, with that as its reason, so that it is counted and told like everything that is
parked; and it goes on by itself when its destination is there again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from qagate.domain.obstacle import Obstacle
from qagate.store import destinations, outbox
from qagate.store.events import event
from qagate.store.forwarding import PARKED, PLANNED, SENT, WARNING
from qagate.store.tables import ForwardRow


def images(session: Session, to: Collection[str], *, at: datetime) -> tuple[str, ...]:
    """Return destinations of images, other than these, for which some are planned that nobody is sending now."""
    gone = [name for name in destinations.of_images(session) if name not in to]
    return tuple(name for name in gone if session.scalar(select(ForwardRow.id).where(*_left(name, at)).limit(1)))


def park(session: Session, destination: str, *, at: datetime) -> int:
    """Park the images that are planned for a destination which is not there; returns how many."""
    why = f"there is no destination {destination!r} with originals = true in the settings any more"
    parked = session.execute(
        update(ForwardRow)
        .where(*_left(destination, at))
        .values(state=PARKED, obstacle=Obstacle.NO_DESTINATION, detail=why, claimed_by="", claimed_until=None)
        .returning(ForwardRow.id)
    ).all()
    if parked:
        event(session, at, "parked", "", f"{len(parked)} images: {why}")
    return len(parked)


def any_back(session: Session, *, documents_to: Collection[str], images_to: Collection[str]) -> bool:
    """Return whether anything is parked for want of a destination that is there now."""
    return outbox.any_to_resume(session, documents_to) or any(
        session.scalar(select(ForwardRow.id).where(*_back(name)).limit(1)) is not None for name in images_to
    )


def resume(session: Session, *, documents_to: Collection[str], images_to: Collection[str], at: datetime) -> int:
    """Plan again what was parked for want of a destination that is there now; returns how much."""
    number = outbox.resume(session, documents_to, at=at)
    for name in images_to:
        back = (
            update(ForwardRow)
            .where(*_back(name))
            .values(state=PLANNED, next_attempt_at=at, obstacle=Obstacle.NONE, detail="")
        )
        number += len(session.execute(back.returning(ForwardRow.id)).all())
    return number


def unpromised(session: Session, to: Collection[str]) -> dict[str, int]:
    """Return how many images destinations other than these took, were asked to keep, and never promised to."""
    found = {}
    for name in destinations.of_images(session):
        taken = ForwardRow.destination == name, ForwardRow.state.in_((SENT, WARNING))
        asked = select(func.count()).where(*taken, ForwardRow.commitment_asked_at.is_not(None))
        if name not in to and (number := session.scalar(asked)):
            found[name] = number
    return found


def _left(destination: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    free = or_(ForwardRow.claimed_until.is_(None), ForwardRow.claimed_until <= at)
    return ForwardRow.destination == destination, ForwardRow.state == PLANNED, free


def _back(destination: str) -> tuple[ColumnElement[bool], ...]:
    return (
        ForwardRow.destination == destination,
        ForwardRow.state == PARKED,
        ForwardRow.obstacle == Obstacle.NO_DESTINATION,
    )
