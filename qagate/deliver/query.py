"""C-FIND, C-MOVE and C-GET as user, Study Root. Source: PS3.4 Annex C, PS3.7 9.1.2 to 9.1.4."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import evt
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context

from qagate.deliver.peer import Peer
from qagate.deliver.receipt import meaning
from qagate.domain.status import OUT_OF_RESOURCES, SUCCESS, WARNING
from qagate.errors import DeliveryError, QagateError
from qagate.settings import Destination

logger = logging.getLogger(__name__)

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"

_PENDING = (0xFF00, 0xFF01)
_UIDS_AT_ONCE = 100
"""UIDs in one identifier: 64 characters each, 6.4 kB together, which every archive takes."""

_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    HTJ2KLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)
_MOST_CLASSES = (128 - 1) // len(_SYNTAXES)
"""Presentation context identifiers are the odd numbers of one byte, PS3.8 9.3.2.2."""

Keep = Callable[[bytes], None]
"""Takes one object as a Part 10 file. Raises QagateError when it cannot be kept."""


def find(destination: Destination, calling_ae_title: str, identifier: Dataset) -> tuple[Dataset, ...]:
    """Return all matches. Raises DeliveryError."""
    with Peer(destination, calling_ae_title, [build_context(FIND)]) as peer:
        return _matches(peer, identifier)


def study_series(
    destination: Destination, calling_ae_title: str, day: str, modalities: frozenset[str] = frozenset()
) -> Iterator[dict[str, str]]:
    """Yield the series of the studies of one day (YYYYMMDD): keyword → value, "" where it is not said.

    modalities: studies that say to have none of these are left out.
    """
    studies = Dataset()
    studies.QueryRetrieveLevel = "STUDY"
    studies.StudyDate = day
    studies.StudyTime = ""
    studies.StudyInstanceUID = ""
    studies.ModalitiesInStudy = ""
    with Peer(destination, calling_ae_title, [build_context(FIND)]) as peer:
        for study in _matches(peer, studies):
            if modalities and modalities.isdisjoint(_texts(study, "ModalitiesInStudy") or modalities):
                continue
            series = Dataset()
            series.QueryRetrieveLevel = "SERIES"
            series.StudyInstanceUID = study.get("StudyInstanceUID", "")
            for keyword in ("SeriesInstanceUID", "Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances"):
                setattr(series, keyword, None)
            for found in _matches(peer, series):
                yield {
                    keyword: str(study.get(keyword) or "") for keyword in ("StudyInstanceUID", "StudyDate", "StudyTime")
                } | {
                    keyword: str(found.get(keyword) or "")
                    for keyword in (
                        "SeriesInstanceUID",
                        "Modality",
                        "SeriesDescription",
                        "NumberOfSeriesRelatedInstances",
                    )
                }


def _texts(dataset: Dataset, keyword: str) -> frozenset[str]:
    value = dataset.get(keyword) or ()
    return frozenset([value] if isinstance(value, str) else map(str, value))


def count(destination: Destination, calling_ae_title: str, study: str, series: str) -> int:
    """Return how many instances a series has: Number of Series Related Instances, or counted when that is not said."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study, series
    identifier.NumberOfSeriesRelatedInstances = None
    with Peer(destination, calling_ae_title, [build_context(FIND)]) as peer:
        found = [match for match in _matches(peer, identifier) if str(match.get("SeriesInstanceUID", series)) == series]
        if not found:
            return 0
        said = number(str(found[0].get("NumberOfSeriesRelatedInstances") or ""))
        return len(_instances(peer, study, series)) if said is None else said


def number(text: str) -> int | None:
    """Return what an archive says as a number; None when it says none, or something else."""
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None


def instances(destination: Destination, calling_ae_title: str, study: str, series: str) -> frozenset[str]:
    """Return the SOP Instance UIDs of a series."""
    with Peer(destination, calling_ae_title, [build_context(FIND)]) as peer:
        return _instances(peer, study, series)


def _instances(peer: Peer, study: str, series: str) -> frozenset[str]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID, identifier.SOPInstanceUID = study, series, ""
    return frozenset(str(match.SOPInstanceUID) for match in _matches(peer, identifier) if match.get("SOPInstanceUID"))


def _matches(peer: Peer, identifier: Dataset) -> tuple[Dataset, ...]:
    matches: list[Dataset] = []

    def ask() -> Dataset:
        for status, match in peer.association.send_c_find(identifier, FIND):
            if status.get("Status") not in _PENDING:
                return status
            if match is not None:
                matches.append(match)
        return Dataset()

    status = peer.answer(ask)
    if status != SUCCESS:
        raise DeliveryError(f"{peer.name} must answer a query, got status 0x{status:04X} ({meaning(status)})")
    return tuple(matches)


def move(
    destination: Destination, calling_ae_title: str, study: str, series: str, sop_instance_uids: Sequence[str]
) -> int:
    """Let the destination send us instances by C-STORE, to our own AE title; return how many it says it has sent."""
    with Peer(destination, calling_ae_title, [build_context(MOVE)]) as peer:
        return sum(
            _retrieve(peer, identifier, lambda i: peer.association.send_c_move(i, calling_ae_title, MOVE))
            for identifier in _identifiers(study, series, sop_instance_uids)
        )


def get(
    destination: Destination,
    calling_ae_title: str,
    study: str,
    series: str,
    sop_instance_uids: Sequence[str],
    *,
    sop_class_uids: Sequence[str],
    keep: Keep,
) -> int:
    """Fetch instances on one association; return how many were kept. sop_class_uids: the classes they may have."""
    kept: list[str] = []

    def store(event: Any) -> int:
        try:
            keep(event.encoded_dataset())
        except QagateError as error:
            logger.warning("an object that %s sent cannot be kept: %s", destination.name, error)
            return OUT_OF_RESOURCES
        kept.append(str(event.request.AffectedSOPInstanceUID))
        return SUCCESS

    contexts: list[PresentationContext] = [build_context(GET)]
    roles = []
    for uid in dict.fromkeys(sop_class_uids[:_MOST_CLASSES]):
        # one context for each syntax: with one for all the archive would choose one, and encode everything anew
        contexts += [build_context(uid, syntax) for syntax in _SYNTAXES]
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = uid, False, True
        roles.append(role)
    with Peer(destination, calling_ae_title, contexts, roles=roles, handlers=[(evt.EVT_C_STORE, store)]) as peer:
        for identifier in _identifiers(study, series, sop_instance_uids):
            _retrieve(peer, identifier, lambda i: peer.association.send_c_get(i, GET))
    return len(kept)


def _identifiers(study: str, series: str, sop_instance_uids: Sequence[str]) -> Iterator[Dataset]:
    for start in range(0, len(sop_instance_uids), _UIDS_AT_ONCE):
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "IMAGE"
        identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study, series
        identifier.SOPInstanceUID = list(sop_instance_uids[start : start + _UIDS_AT_ONCE])
        yield identifier


def _retrieve(peer: Peer, identifier: Dataset, request: Callable[[Dataset], Any]) -> int:
    """Run one C-MOVE or C-GET to its end; return the number of completed sub-operations."""
    done = 0

    def ask() -> Dataset:
        nonlocal done
        last = Dataset()
        for status, _ in request(identifier):
            last = status
            done = int(status.get("NumberOfCompletedSuboperations") or done)
            if status.get("Status") not in _PENDING:
                break
        return last

    status = peer.answer(ask)
    if status not in (SUCCESS, WARNING):
        raise DeliveryError(f"{peer.name} must hand over images, got status 0x{status:04X} ({meaning(status)})")
    return done
