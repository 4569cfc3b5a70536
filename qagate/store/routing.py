"""Routing: where originals go. A way on is written down with the image's own row, before anything else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from qagate.domain.holding import CT_AND_MR_IMAGES
from qagate.domain.obstacle import Obstacle
from qagate.domain.series import StoredInstance
from qagate.domain.verdict import Action
from qagate.settings import Settings
from qagate.store.forwarding import COMMITTED, GIVEN_UP, HELD, PARKED, PLANNED, SENT, WARNING
from qagate.store.tables import ForwardRow


@dataclass(frozen=True, slots=True)
class Route:
    """A destination of originals; what comes from its own AE title is not sent back to it."""

    name: str
    ae_title: str


@dataclass(frozen=True, slots=True)
class Routing:
    """Where originals go. holds: whether any policy lets images wait."""

    routes: tuple[Route, ...]
    holds: bool

    @classmethod
    def of(cls, settings: Settings) -> Routing:
        """Return what the settings say."""
        routes = tuple(Route(d.name, str(d.ae_title)) for d in settings.destinations if d.originals)
        return cls(routes, any(Action(policy.action) is Action.HOLD for policy in settings.policies))


NOWHERE = Routing((), False)


def intend(session: Session, instance_id: int, series_instance_uid: str, instance: StoredInstance, to: Routing) -> None:
    """Write down that a new object is to be forwarded, in the transaction that writes down the object itself.

    A CT or MR image is held until something is decided about its series, if any policy holds. What was fetched from an
    archive goes nowhere.
    """
    if instance.fetched:
        return
    wait = to.holds and instance.sop_class_uid in CT_AND_MR_IMAGES
    session.add_all(
        ForwardRow(
            instance_id=instance_id,
            series_instance_uid=series_instance_uid,
            destination=route.name,
            state=HELD if wait else PLANNED,
            next_attempt_at=instance.received_at,
        )
        for route in to.routes
        if route.ae_title != instance.calling_ae_title.strip()
    )


def again(session: Session, instance_id: int, series_instance_uid: str, instance: StoredInstance, to: Routing) -> None:
    """Plan an object again that its sender sent once more: perhaps because its destination does not have it any more.

    What is held, was rejected or is parked stays as it is, unless it was parked because its file could not be read:
    it has come again. What waits for its next try is tried at once. What a person gave up goes, too, where the settings
    name its destination.
    """
    known = session.scalars(select(ForwardRow.destination).where(ForwardRow.instance_id == instance_id)).all()
    missing = tuple(route for route in to.routes if route.name not in known)
    intend(session, instance_id, series_instance_uid, instance, replace(to, routes=missing))
    session.execute(
        update(ForwardRow)
        .where(
            ForwardRow.instance_id == instance_id,
            or_(
                ForwardRow.state.in_((SENT, WARNING, COMMITTED)),
                and_(ForwardRow.state == PARKED, ForwardRow.obstacle == Obstacle.UNSENDABLE),
                and_(ForwardRow.state == GIVEN_UP, ForwardRow.destination.in_([route.name for route in to.routes])),
            ),
        )
        .values(
            state=PLANNED,
            next_attempt_at=instance.received_at,
            attempts=0,
            transaction_uid="",
            commitment_asked_at=None,
        )
    )
    session.execute(
        update(ForwardRow)
        .where(
            ForwardRow.instance_id == instance_id,
            ForwardRow.state == PLANNED,
            ForwardRow.next_attempt_at > instance.received_at,
        )
        .values(next_attempt_at=instance.received_at)
    )
