"""What did not reach its destination: documents and images in one list, the worst first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qagate.domain.obstacle import Obstacle
from qagate.store import forwarding, outbox, reception, undelivered
from qagate.store.routing import Route, Routing

from .conftest import T0
from .test_outbox import planned

MINUTE = timedelta(minutes=1)


@pytest.fixture
def waiting(database, instance):
    """An SR and an SC for PACS and an SR for ARCHIVE; of three images for PACS one is refused, two wait for a try."""
    revision_id = planned(database, instance)
    with database.begin() as session:
        reception.register(session, [instance(n) for n in (2, 3, 4)], Routing((Route("PACS", "PACS"),), holds=False))
        (first, *others) = forwarding.claim(session, "PACS", by="a", at=T0, limit=9)
        forwarding.failed(session, [first], detail="A700 Out of resources", obstacle=Obstacle.REFUSED, at=T0)
        forwarding.failed(session, others, detail="nobody answers", obstacle=Obstacle.NOT_NOW, at=T0)
        (sr,) = outbox.contents(session, revision_id, "ARCHIVE")
        outbox.failed(
            session, [sr.delivery_id], detail="0122 not supported", obstacle=Obstacle.REFUSED, max_attempts=9, at=T0
        )
    return database


def test_parked_first_then_by_the_next_try(waiting):
    with waiting.read() as session:
        found = undelivered.listed(session)
        assert [(one.destination, one.what, one.number, one.state, one.attempts) for one in found[:2]] == [
            ("ARCHIVE", "SR", 1, "parked", 1),
            ("PACS", "images", 1, "parked", 1),
        ]
        assert {one.series_instance_uid for one in found} == {"1.2.3"}
        assert {(one.what, one.number, one.next_attempt_at) for one in found[2:]} == {
            ("SR", 1, T0),
            ("SC", 1, T0),
            ("images", 2, T0 + timedelta(seconds=forwarding.BACKOFF_SECONDS[0])),
        }
        assert [one.next_attempt_at for one in found[:2]] == [None, None]  # nobody tries them
        assert found[1].detail == "A700 Out of resources"
        assert {one.destination for one in undelivered.listed(session, destination="ARCHIVE")} == {"ARCHIVE"}
        assert len(undelivered.listed(session, limit=3)) == 3
        assert undelivered.counts(session) == {
            "PACS": {"planned": 4, "parked": 1},  # two documents and two images
            "ARCHIVE": {"parked": 1},
        }


def test_all_of_a_destination_is_tried_again_at_once(waiting):
    with waiting.begin() as session:
        assert undelivered.try_again(session, "PACS", at=T0 + timedelta(seconds=1)) == 1
        now = undelivered.listed(session, destination="PACS")
        assert {one.state for one in now} == {"planned"}
        assert all(one.next_attempt_at <= T0 + timedelta(seconds=1) for one in now)
        assert undelivered.counts(session) == {"PACS": {"planned": 5}, "ARCHIVE": {"parked": 1}}


def test_what_arrived_is_not_listed(waiting):
    with waiting.begin() as session:
        for claimed in forwarding.claim(session, "PACS", by="a", at=T0 + MINUTE, limit=9):
            forwarding.sent(session, [(claimed, "")], at=T0 + MINUTE)
        assert undelivered.counts(session)["PACS"] == {"planned": 2, "parked": 1}
        assert [one.number for one in undelivered.listed(session) if one.what == "images"] == [1]
