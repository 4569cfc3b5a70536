from __future__ import annotations

from datetime import timedelta

import pytest

from qagate.domain.commitment import Copy, standing
from qagate.settings import Destination

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
PEER = {"ae_title": "P", "host": "h", "port": 104, "originals": True}
DESTINATIONS = {
    name: Destination(name=name, **PEER, **more)
    for name, more in (("PACS", {"commitment": True}), ("VAULT", {"sent_is_kept": True}), ("MUTE", {}))
}


def copies(*forwards: tuple[str, str], sop_class: str = CT) -> list[Copy]:
    return [Copy(sop_class, forwards)]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (copies(("PACS", "committed")), 0),
        (copies(("VAULT", "sent")), 0),
        (copies(("VAULT", "warning")), 0),
        (copies(("PACS", "committed"), ("VAULT", "sent")), 0),
        # not yet
        (copies(("PACS", "sent")), None),
        (copies(("PACS", "planned")), None),
        (copies(("PACS", "held")), None),
        (copies(("PACS", "committed"), ("VAULT", "planned")), None),
        # never: 0x0110, so that the scanner keeps it
        (copies(("PACS", "rejected")), 0x0110),
        (copies(("PACS", "parked")), 0x0110),
        (copies(("PACS", "planned"), ("VAULT", "parked")), 0x0110),
        (copies(("MUTE", "sent")), 0x0110),  # it promises nothing, and nobody said that its Success is a promise
        (copies(("GONE", "planned")), 0x0110),
        (copies(("GONE", "committed")), 0),
        (copies(), 0x0110),  # received when nothing was forwarded
        (copies(("PACS", "committed"), sop_class=MR), 0x0119),
        # other bytes under the same UID: both have to be kept
        ([*copies(("PACS", "committed")), *copies(("PACS", "sent"))], None),
    ],
)
def test_what_is_promised(known, reason):
    found = standing(CT, known, DESTINATIONS, waited=timedelta(seconds=5), patience=timedelta(hours=1))
    assert found.reason == reason


@pytest.mark.parametrize(
    ("known", "waited", "reason"),
    [
        ([], timedelta(seconds=29), None),  # the database may not know it yet
        ([], timedelta(seconds=30), 0x0112),
        (copies(("PACS", "held")), timedelta(minutes=59), None),
        (copies(("PACS", "held")), timedelta(minutes=60), 0x0110),
    ],
)
def test_nobody_waits_for_ever(known, waited, reason):
    assert standing(CT, known, DESTINATIONS, waited=waited, patience=timedelta(hours=1)).reason == reason
