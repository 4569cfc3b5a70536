"""Storage commitment: will a destination keep what we sent, and what we say to a scanner. Source: PS3.4 Annex J."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context

from qagate.deliver.peer import Peer
from qagate.deliver.receipt import meaning
from qagate.domain.status import PROCESSING_FAILURE, SUCCESS
from qagate.errors import DeliveryError, DeliveryRefused, QagateError
from qagate.settings import Destination

logger = logging.getLogger(__name__)

_PUSH_MODEL = "1.2.840.10008.1.20.1"
_PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
_REQUEST_STORAGE_COMMITMENT = 1
_ALL_KEPT, _SOME_FAILED = 1, 2  # event types, PS3.4 J.3.3
_NOT_SUPPORTED = frozenset({0x0122, 0x0211, 0x0118})


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """What the destination said about the instances of one transaction.

    `failed` maps SOP Instance UIDs to failure reasons (0x0112: it does not have the instance).
    """

    transaction_uid: str
    committed: tuple[str, ...]
    failed: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is committed."""
        return not self.failed


def request(
    destination: Destination,
    instances: Sequence[tuple[str, str]],
    *,
    calling_ae_title: str,
    transaction_uid: str,
    wait_seconds: float = 0.0,
    on_other: Callable[[CommitmentResult], None] = lambda result: None,
) -> CommitmentResult | None:
    """Ask the destination to commit to (SOP Class UID, SOP Instance UID) pairs.

    Returns the result if it comes on the same association within `wait_seconds`, else None: it comes later, on an
    association that the destination opens to us (see Receiver's `on_commitment` and `parse_event`). Record the
    transaction before the call: the result may overtake its return. A destination may also use the association for the
    result of an earlier transaction: `on_other` records that, and if it raises QagateError the destination is told so.
    Raises DeliveryRefused when the destination has no storage commitment, otherwise DeliveryError.
    """
    arrived = threading.Event()
    results: list[CommitmentResult] = []

    def on_event_report(event: Any) -> tuple[int, None]:
        result = parse_event(event.event_information)
        if result.transaction_uid == transaction_uid:
            results.append(result)
            arrived.set()
            return SUCCESS, None
        try:
            on_other(result)
        except QagateError as error:
            logger.warning("deliver: a storage commitment result of %s is not recorded: %s", destination.name, error)
            return PROCESSING_FAILURE, None
        return SUCCESS, None

    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [_reference(*pair) for pair in instances]
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = _PUSH_MODEL
    role.scu_role = True
    role.scp_role = False
    with Peer(
        destination,
        calling_ae_title,
        [build_context(_PUSH_MODEL)],
        roles=[role],
        handlers=[(evt.EVT_N_EVENT_REPORT, on_event_report)],
    ) as peer:
        status = peer.answer(
            lambda: peer.association.send_n_action(
                information, _REQUEST_STORAGE_COMMITMENT, _PUSH_MODEL, _PUSH_MODEL_INSTANCE
            )
        )
        if status != SUCCESS and not 0xB000 <= status <= 0xBFFF:
            kind = DeliveryRefused if status in _NOT_SUPPORTED else DeliveryError
            raise kind(
                f"{peer.name} must take a storage commitment request, got status 0x{status:04X} ({meaning(status)})"
            )
        if wait_seconds:
            arrived.wait(wait_seconds)
    return results[0] if results else None


def report(
    peer: Destination,
    transaction_uid: str,
    kept: Sequence[tuple[str, str]],
    failed: Sequence[tuple[str, str, int]],
    *,
    calling_ae_title: str,
) -> None:
    """Tell a scanner the result of its request, on an association that we open to it.

    kept: (SOP Class UID, SOP Instance UID); failed: the same with a failure reason. Raises DeliveryError.
    """
    information = Dataset()
    information.TransactionUID = transaction_uid
    if kept:
        information.ReferencedSOPSequence = [_reference(*pair) for pair in kept]
    if failed:
        information.FailedSOPSequence = [_reference(sop_class, uid, reason) for sop_class, uid, reason in failed]
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = _PUSH_MODEL
    role.scu_role = False
    role.scp_role = True
    with Peer(peer, calling_ae_title, [build_context(_PUSH_MODEL)], roles=[role]) as association:
        event_type = _SOME_FAILED if failed else _ALL_KEPT
        status = association.answer(
            lambda: association.association.send_n_event_report(
                information, event_type, _PUSH_MODEL, _PUSH_MODEL_INSTANCE
            )
        )
    if status != SUCCESS:
        raise DeliveryError(
            f"{association.name} must take a storage commitment result, got status 0x{status:04X} ({meaning(status)})"
        )


def parse_event(event_information: Dataset) -> CommitmentResult:
    """Return what an N-EVENT-REPORT says; references without an instance are left out. Source: PS3.4 Table J.3-2."""
    committed = tuple(
        str(item.ReferencedSOPInstanceUID)
        for item in event_information.get("ReferencedSOPSequence") or ()
        if item.get("ReferencedSOPInstanceUID")
    )
    failed = {
        str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0x0110)
        for item in event_information.get("FailedSOPSequence") or ()
        if item.get("ReferencedSOPInstanceUID")
    }
    return CommitmentResult(str(event_information.get("TransactionUID") or ""), committed, failed)


def _reference(sop_class_uid: str, sop_instance_uid: str, failure_reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    if failure_reason is not None:
        item.FailureReason = failure_reason
    return item
