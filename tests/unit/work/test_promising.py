"""Whom the results of storage commitments are told to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from qagate.clock import SystemClock
from qagate.domain.status import NOT_AUTHORISED, SUCCESS
from qagate.errors import Unreachable
from qagate.settings import DestinationTls, Settings
from qagate.store import commitments
from qagate.store.database import Database
from qagate.work import promising as module
from qagate.work.promising import Promising

CT = "1.2.840.10008.5.1.4.1.1.2"


class Later(SystemClock):
    """A minute after everything: what never came is not waited for any more."""

    def now(self):
        return super().now() + timedelta(minutes=1)


def asked(transaction_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, "1.2.3"
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [item]
    return information


tries_tls: list[object] = []
"""How each try was to be secured."""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes what answers scanners, and lists (host, port, transaction) of each try to tell one."""
    tries: list[tuple[str, int, str]] = []
    tries_tls.clear()
    database = Database.open(f"sqlite:///{tmp_path / 'q.db'}")

    def report(peer, transaction_uid, kept, failed, **_):
        tries.append((peer.host, peer.port, transaction_uid))
        tries_tls.append(peer.tls)
        if peer.host == "10.0.0.9":
            raise Unreachable("nobody answers")

    monkeypatch.setattr(module, "report", report)

    def make(*peers: dict[str, object]) -> Promising:
        settings = Settings.model_validate(
            {
                "storage": {"data_dir": tmp_path},
                "node": {"peers": [{"ae_title": "CT", **peer} for peer in peers]},
                "destinations": [{"name": "P", "ae_title": "P", "host": "p", "port": 104, "originals": True}],
            }
        )
        return Promising(settings, database, SystemClock())

    yield make, tries, database
    database.close()


def tell(promising: Promising) -> None:
    Promising(promising.settings, promising.database, Later()).answer()


@pytest.mark.parametrize(
    ("peers", "told"),
    [
        ([{"host": "10.0.0.1", "port": 1}, {"host": "10.0.0.2", "port": 2}], ("10.0.0.2", 2)),
        ([{"port": 1}, {"host": "10.0.0.2", "port": 2}], ("10.0.0.2", 2)),
        ([{"host": "10.0.0.1", "port": 1}, {"port": 3}], ("10.0.0.2", 3)),
        # its own entry has no port, and another machine must not be told
        ([{"host": "10.0.0.1", "port": 1}, {"host": "10.0.0.2"}], None),
        # it came from somewhere else, which only accept_unknown_peers allows: told where it is said to be
        ([{"host": "10.0.0.1", "port": 1}], ("10.0.0.1", 1)),
        ([{"host": "no host's name" + "x" * 80, "port": 1}, {"host": "10.0.0.2", "port": 2}], ("10.0.0.2", 2)),
    ],
)
def test_of_machines_that_share_an_ae_title_the_one_that_asked_is_told(node, peers, told):
    make, tries, _ = node
    promising = make(*peers)
    status = promising.take(asked("1.9"), "CT", "10.0.0.2")
    assert status == (NOT_AUTHORISED if told is None else SUCCESS)
    tell(promising)
    assert tries == ([] if told is None else [(*told, "1.9")])


def test_a_result_goes_with_tls_to_a_scanner_that_takes_it_so(node):
    """The settings had no way to say it: results went in the clear, or not at all."""
    make, _, _ = node
    promising = make({"host": "10.0.0.2", "port": 2, "tls": {"ca_file": "ca.pem"}})
    assert promising.take(asked("1.9"), "CT", "10.0.0.2") == SUCCESS
    tell(promising)
    assert tries_tls == [DestinationTls(ca_file=Path("ca.pem"))]


def test_a_scanner_that_is_off_costs_the_others_one_wait_and_not_one_for_each_request(node):
    make, tries, database = node
    promising = make({"host": "10.0.0.9", "port": 1}, {"host": "10.0.0.2", "port": 2})
    for number in range(5):
        assert promising.take(asked(f"1.{number}"), "CT", "10.0.0.9") == SUCCESS
    assert promising.take(asked("2.1"), "CT", "10.0.0.2") == SUCCESS
    tell(promising)
    assert tries == [("10.0.0.9", 1, "1.0"), ("10.0.0.2", 2, "2.1")]
    with database.begin() as session:  # each of them is told later
        later = commitments.due(session, at=Later().now() + timedelta(seconds=6))
    assert {request.transaction_uid for request in later} == {f"1.{number}" for number in range(5)}
