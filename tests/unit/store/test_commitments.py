"""What can be said of objects that scanners ask about."""

from __future__ import annotations

from dataclasses import replace

from qagate.domain.commitment import Copy
from qagate.domain.series import Announced
from qagate.domain.step import PerformedStep, StepState
from qagate.store import commitments, completion, reception
from qagate.store.routing import Route, Routing
from tests.unit.store.conftest import T0

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
TO = Routing((Route("PACS", "PACS"),), holds=False)


def test_an_object_is_known_by_the_names_its_sender_gave_it(database, instance):
    """A scanner that asked for what it had announced was told that there is no such object."""
    own = instance(1)
    for announced in (Announced(CT, "9.1"), Announced(MR, "9.2"), Announced(CT, "9.1")):
        with database.begin() as session:
            reception.register(session, [replace(own, announced=announced)], TO)
    with database.read() as session:
        found = commitments.copies(session, ["9.1", "9.2", own.sop_instance_uid, "9.3"])
    on_its_way = (("PACS", "planned"),)
    assert {uid: set(copies) for uid, copies in found.items()} == {
        "9.1": {Copy(CT, on_its_way)},
        "9.2": {Copy(CT, on_its_way), Copy(MR, on_its_way)},
        own.sop_instance_uid: {Copy(CT, on_its_way)},
    }


def test_a_class_that_was_only_announced_is_no_conflict(database, instance):
    with database.begin() as session:
        reception.register(session, [replace(instance(1), announced=Announced(MR, "1.2.3.1"))], TO)
    with database.read() as session:
        found = commitments.copies(session, ["1.2.3.1"])
    assert {copy.sop_class_uid for copy in found["1.2.3.1"]} == {CT, MR}


def test_what_the_scanner_lists_under_the_announced_uid_has_come(database, instance):
    step = PerformedStep("7.7", StepState.COMPLETED, T0, series={"1.2.3": ("9.1", "9.2")})
    with database.begin() as session:
        reception.register(session, [replace(instance(1), announced=Announced(CT, "9.1"))])
        completion.set_step(session, step)
    with database.read() as session:
        listed = completion.listed(session, "1.2.3")
    assert listed is not None
    assert listed.missing == {"9.2"}
