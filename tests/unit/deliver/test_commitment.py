from __future__ import annotations

import threading
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from qagate.deliver.commitment import CommitmentResult, parse_event, request
from qagate.errors import DeliveryError, DeliveryRefused, StoreError
from tests.unit.deliver.archive import COMPREHENSIVE_3D_SR, archiving

ASKED = [(COMPREHENSIVE_3D_SR, "1.1"), (COMPREHENSIVE_3D_SR, "1.2")]
PUSH_MODEL, PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


def reference(uid: str | None, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = COMPREHENSIVE_3D_SR
    if uid is not None:
        item.ReferencedSOPInstanceUID = uid
    if reason is not None:
        item.FailureReason = reason
    return item


def information(committed: list[Dataset] | None, failed: list[Dataset] | None) -> Dataset:
    data_set = Dataset()
    data_set.TransactionUID = "2.25.7"
    if committed is not None:
        data_set.ReferencedSOPSequence = committed
    if failed is not None:
        data_set.FailedSOPSequence = failed
    return data_set


@pytest.mark.parametrize(
    ("event", "expected", "complete"),
    [
        (information([reference("1.1")], None), CommitmentResult("2.25.7", ("1.1",), {}), True),
        (information([], [reference("1.2", 0x0112)]), CommitmentResult("2.25.7", (), {"1.2": 0x0112}), False),
        (
            information([reference("1.1")], [reference("1.2", 0x0213)]),
            CommitmentResult("2.25.7", ("1.1",), {"1.2": 0x0213}),
            False,
        ),
        # a failure without a reason is a failure all the same
        (information(None, [reference("1.2")]), CommitmentResult("2.25.7", (), {"1.2": 0x0110}), False),
        (information([reference(None)], None), CommitmentResult("2.25.7", (), {}), True),
        (Dataset(), CommitmentResult("", (), {}), True),
    ],
)
def test_parse_event(event: Dataset, expected: CommitmentResult, complete: bool) -> None:
    assert parse_event(event) == expected
    assert parse_event(event).complete is complete


def test_request_is_taken() -> None:
    seen: list[Any] = []

    def on_action(event: Any) -> tuple[int, None]:
        seen.append((event.action_type, event.action_information, str(event.request.RequestedSOPInstanceUID)))
        return 0x0000, None

    with archiving(handlers=[(evt.EVT_N_ACTION, on_action)]) as (pacs, _):
        assert request(pacs, ASKED, calling_ae_title="QAGATE", transaction_uid="2.25.7") is None
    ((kind, asked, instance),) = seen
    assert (kind, instance, asked.TransactionUID) == (1, PUSH_MODEL_INSTANCE, "2.25.7")
    assert [str(item.ReferencedSOPInstanceUID) for item in asked.ReferencedSOPSequence] == ["1.1", "1.2"]


def test_result_on_the_same_association() -> None:
    def on_action(event: Any) -> tuple[int, None]:
        answer = information([reference("1.1")], [reference("1.2", 0x0112)])
        association = event.assoc
        threading.Timer(
            0.1, lambda: association.send_n_event_report(answer, 2, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        ).start()
        return 0x0000, None

    with archiving(handlers=[(evt.EVT_N_ACTION, on_action)]) as (pacs, _):
        result = request(pacs, ASKED, calling_ae_title="QAGATE", transaction_uid="2.25.7", wait_seconds=5)
    assert result == CommitmentResult("2.25.7", ("1.1",), {"1.2": 0x0112})


@pytest.mark.parametrize(("recorded", "status"), [(True, 0x0000), (False, 0x0110)])
def test_the_result_of_an_earlier_transaction_is_recorded_or_not_taken(recorded: bool, status: int) -> None:
    others: list[CommitmentResult] = []
    told: list[int] = []
    ended = threading.Event()

    def on_action(event: Any) -> tuple[int, None]:
        def tell() -> None:
            for transaction_uid in ("2.25.6", "2.25.7"):
                answer = information([reference("1.1")], None)
                answer.TransactionUID = transaction_uid
                said, _ = event.assoc.send_n_event_report(answer, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
                told.append(said.Status)
            ended.set()

        threading.Timer(0.1, tell).start()
        return 0x0000, None

    def on_other(result: CommitmentResult) -> None:
        if not recorded:
            raise StoreError("the database is away")
        others.append(result)

    with archiving(handlers=[(evt.EVT_N_ACTION, on_action)]) as (pacs, _):
        own = request(
            pacs, ASKED, calling_ae_title="QAGATE", transaction_uid="2.25.7", wait_seconds=5, on_other=on_other
        )
        assert ended.wait(5)
    assert own == CommitmentResult("2.25.7", ("1.1",), {})
    assert others == [CommitmentResult("2.25.6", ("1.1",), {})] * recorded
    assert told[0] == status


@pytest.mark.parametrize(
    ("status", "kind"), [(0x0110, DeliveryError), (0x0211, DeliveryRefused), (0x0122, DeliveryRefused)]
)
def test_request_is_not_taken(status: int, kind: type[DeliveryError]) -> None:
    with (
        archiving(handlers=[(evt.EVT_N_ACTION, lambda event: (status, None))]) as (pacs, _),
        pytest.raises(DeliveryError, match=f"0x{status:04X}") as caught,
    ):
        request(pacs, ASKED, calling_ae_title="QAGATE", transaction_uid="2.25.7")
    assert type(caught.value) is kind
