"""The demo's scanner: a storage SCU that can also misbehave as real ones do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pynetdicom.association import Association

from qagate.deliver.peer import Requestor
from qagate.demo.sample import Sample, Way
from qagate.demo.samples import folder_samples
from qagate.errors import AssociationRejected, Unreachable

__all__ = ["Sending", "folder_samples", "send"]

MAX_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers 1 to 255


@dataclass(slots=True)
class Sending:
    """What became of a sample.

    statuses: C-STORE status → how many objects. failed: file name → why it was not sent. last_image_at: seconds of the
    monotonic clock when the last answer came.
    """

    sent: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    aborted: bool = False
    last_image_at: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether every object that was sent got Success or a warning."""
        return not self.failed and all(s == 0 or s >> 12 == 0xB for s in self.statuses)


def send(
    sample: Sample,
    host: str,
    port: int,
    calling_ae_title: str | None = None,
    called_ae_title: str = "QAGATE",
    *,
    late_seconds: float = 16.0,
    wait: Callable[[float], object] = time.sleep,
) -> Sending:
    """Send a sample in its own way and return what became of it.

    calling_ae_title: the sample's own when absent. late_seconds: how long late images wait; must be longer than the
    node's quiet time if they are to make a new revision. Raises AssociationRejected when the node does not want the
    association or ends it, Unreachable when nobody answers.
    """
    result = Sending()
    title = calling_ae_title or sample.ae_title
    paths = sample.paths
    if sample.send is Way.ABORTED:
        _associate(paths, (len(paths) + 1) // 2, host, port, title, called_ae_title, result)
    elif sample.send is Way.LATE and sample.late:
        _associate(paths[: -sample.late], None, host, port, title, called_ae_title, result)
        wait(late_seconds)
        _associate(paths[-sample.late :], None, host, port, title, called_ae_title, result)
    else:
        for _ in range(2 if sample.send is Way.DUPLICATE else 1):
            _associate(paths, None, host, port, title, called_ae_title, result)
    return result


def _associate(
    paths: Sequence[Path], abort_after: int | None, host: str, port: int, title: str, called: str, result: Sending
) -> None:
    """Open an association, send the files, release it; abort it instead after so many objects when told to."""
    kinds: dict[tuple[str, str], None] = {}
    usable = []
    for path in paths:
        try:
            meta = pydicom.dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
            kind = (str(meta.SOPClassUID), str(meta.file_meta.TransferSyntaxUID))
        except (InvalidDicomError, AttributeError, OSError, ValueError) as error:
            result.failed[path.name] = type(error).__name__
            continue
        usable.append((path, kind))
        kinds[kind] = None
    if not usable:
        return
    entity = Requestor(ae_title=title)
    entity.maximum_pdu_size = 131072
    for sop_class, syntax in list(kinds)[:MAX_CONTEXTS]:
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate(host, port, ae_title=called)
    if association.is_rejected:
        raise AssociationRejected(f"{called} at {host}:{port} rejected the association of {title}")
    if not association.is_established:
        raise Unreachable(f"nobody took the association of {title} at {host}:{port}")
    try:
        for number, (path, _) in enumerate(usable, 1):
            _store(association, path, result)
            if abort_after is not None and number >= abort_after:
                result.aborted = True
                association.abort()
                return
            if not association.is_established:
                raise AssociationRejected(f"{called} at {host}:{port} closed the association after {number} objects")
    finally:
        if association.is_established:
            association.release()


def _store(association: Association, path: Path, result: Sending) -> None:
    try:
        answer = association.send_c_store(pydicom.dcmread(path))
    except (ValueError, AttributeError, TypeError, RuntimeError) as error:
        result.failed[path.name] = type(error).__name__
        return
    result.last_image_at = time.monotonic()
    status = answer.get("Status") if answer else None
    if status is None:
        result.failed[path.name] = "no answer"
        return
    result.sent += 1
    result.statuses[int(status)] = result.statuses.get(int(status), 0) + 1
