"""Large objects over slow lines, and to peers that stop taking them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from qagate.deliver import outgoing
from qagate.deliver.originals import forward
from qagate.deliver.outgoing import MOST_WAITING, Messages, Outgoing
from qagate.deliver.receipt import Receipt
from qagate.errors import DeliveryError
from tests.unit.deliver.archive import archiving, make_document
from tests.unit.deliver.line import slow_line
from tests.unit.deliver.test_originals import CT, original

PATIENCE_SECONDS = 1.0


def large(folder: Path, mebibytes: int) -> Path:
    return make_document(folder, "1.2.9", CT, EncapsulatedDocument=b"\0" * (mebibytes << 20))


def test_an_object_may_travel_for_longer_than_the_patience_with_its_answer(tmp_path):
    path = large(tmp_path, 6)
    with archiving(CT) as (pacs, archive), slow_line(int(pacs.port or 0), bytes_per_second=2 << 20) as port:
        far = pacs.model_copy(update={"port": port, "timeout_seconds": PATIENCE_SECONDS})
        begun = time.monotonic()
        ((_, receipt),) = forward([original(path)], far, calling_ae_title="QAGATE")
        # 6 MB at 2 MB/s: 3 s
        assert time.monotonic() - begun > 2 * PATIENCE_SECONDS
    assert receipt == Receipt("1.2.9", "stored", 0)
    assert archive.uids == ["1.2.9"]


def test_a_peer_that_takes_nothing_more_is_given_up(tmp_path):
    # more than what the system takes for the network by itself
    path = large(tmp_path, 24)
    with (
        archiving(CT) as (pacs, _),
        slow_line(int(pacs.port or 0), bytes_per_second=1 << 30, stops_after=1 << 20) as port,
    ):
        far = pacs.model_copy(update={"port": port, "timeout_seconds": PATIENCE_SECONDS})
        begun = time.monotonic()
        with pytest.raises(DeliveryError):
            list(forward([original(path)], far, calling_ae_title="QAGATE"))
        assert time.monotonic() - begun < 6 * PATIENCE_SECONDS


def test_a_peer_without_a_limit_gets_pdus_of_our_size(tmp_path):
    sizes = []
    with archiving(CT, maximum_pdu_bytes=0) as (pacs, archive):
        archive.on_data = lambda event: sizes.append(len(event.data))
        ((_, receipt),) = forward([original(large(tmp_path, 1))], pacs, calling_ae_title="QAGATE")
    assert isinstance(receipt, Receipt)
    assert max(sizes) <= outgoing.MAX_PDU_BYTES + 6


def test_only_so_much_waits_for_the_network(monkeypatch):
    alive = threading.Event()
    alive.set()
    provider = DULServiceProvider.__new__(DULServiceProvider)
    monkeypatch.setattr(DULServiceProvider, "is_alive", lambda self: alive.is_set())
    waiting = Outgoing(provider)
    adding = threading.Thread(target=lambda: [waiting.put(P_DATA()) for _ in range(MOST_WAITING + 2)])
    adding.start()
    fills(waiting)
    adding.join(0.1)
    assert adding.is_alive()
    assert waiting.qsize() == MOST_WAITING
    waiting.get()
    fills(waiting)
    assert adding.is_alive()
    # the connection is over: nothing more is added, and nobody waits
    alive.clear()
    adding.join(30)
    assert not adding.is_alive()
    assert waiting.qsize() == MOST_WAITING


def fills(waiting: Outgoing) -> None:
    end = time.monotonic() + 30
    while waiting.qsize() < MOST_WAITING and time.monotonic() < end:
        time.sleep(0.01)
    assert waiting.qsize() == MOST_WAITING


def test_a_peer_that_breaks_off_is_not_waited_for_because_less_is_unsent_then(monkeypatch):
    unsent = iter((1000, 0, 0))
    monkeypatch.setattr(Messages, "_unsent_bytes", lambda self: next(unsent))
    network = SimpleNamespace(is_alive=lambda: True)
    messages = Messages(cast(Any, SimpleNamespace(dul=network, dimse_timeout=2)))
    messages.msg_queue.put((None, None))
    begun = time.monotonic()
    assert messages.get_msg(block=True) == (None, None)
    assert time.monotonic() - begun < 1
