"""A destination is taken out of the settings while images wait for it, and comes back."""

from __future__ import annotations

from datetime import timedelta

from qagate.domain.obstacle import Obstacle
from qagate.settings import Settings
from qagate.store import forwarding, holding, undelivered
from qagate.store.tables import EventRow
from qagate.work.stranding import Stranding

from .test_forwarding import UID, Hand, Lane, lane, plan, states

__all__ = ["lane"]

OTHER = {"name": "OTHER", "ae_title": "OTHER", "host": "h", "port": 104, "originals": True}


def without(lane: Lane, *destinations: dict) -> Stranding:
    """Return what looks after the lane's images with other destinations than the lane's."""
    settings = Settings.model_validate(
        {"storage": {"data_dir": lane.settings.storage.data_dir}, "destinations": destinations}
    )
    return Stranding(settings, lane.database, lane.clock)


def test_images_for_a_destination_that_is_gone_are_parked_and_go_on_when_it_is_back(lane: Lane) -> None:
    plan(lane)
    gone = without(lane, OTHER)
    gone.sweep()
    gone.sweep()
    assert states(lane) == ["parked"] * 3
    with lane.database.read() as session:
        (one,) = undelivered.listed(session)
        assert one.detail == "there is no destination 'PACS' with originals = true in the settings any more"
        assert session.query(EventRow).filter_by(what="parked").count() == 1
    Stranding(lane.settings, lane.database, lane.clock).sweep()
    assert states(lane) == ["planned"] * 3


def test_what_was_refused_for_good_stays_parked_when_the_settings_are_read_again(lane: Lane) -> None:
    plan(lane)
    with lane.database.begin() as session:
        (first, *_) = forwarding.claim(session, "PACS", by="a", at=lane.clock.now(), limit=9)
        forwarding.failed(session, [first], detail="A900", obstacle=Obstacle.REFUSED, at=lane.clock.now())
    Stranding(lane.settings, lane.database, lane.clock).sweep()
    assert states(lane)[0] == "parked"


def test_what_is_being_sent_this_moment_is_left_alone(lane: Lane) -> None:
    plan(lane)
    with lane.database.begin() as session:
        forwarding.claim(session, "PACS", by="an older process", at=lane.clock.now(), limit=1)
    without(lane, OTHER).sweep()
    assert states(lane) == ["planned", "parked", "parked"]


def test_held_images_do_not_stay_held_when_nobody_forwards_any_more(lane: Lane) -> None:
    """The last destination with originals went, and with it the forwarder, which lets images go."""
    clock = Hand()
    deadline = clock.at + timedelta(seconds=60)
    with lane.database.begin() as session:
        holding.hold(session, UID, policy="gate", at=clock.at, until=deadline)
    stranding = Stranding(without(lane).settings, lane.database, clock)
    stranding.sweep()
    assert states(lane) == ["held"] * 3
    clock.at = deadline
    stranding.sweep()
    assert states(lane) == ["parked"] * 3
