"""Forwarding: received objects on to a destination, byte for byte. Source: PS3.4 Annex B.

An object goes as it came: same UIDs, same bytes, same transfer syntax. Only where the destination does not take its
uncompressed little endian encoding it goes in the other one, which changes no value, and the receipt says so.
Everything else that a destination does not take is refused, never changed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import split_dataset
from pynetdicom.presentation import PresentationContext, build_context

from qagate.deliver.peer import Peer
from qagate.deliver.receipt import Receipt, receipt_for
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, Unreachable, Unsendable
from qagate.settings import Destination

logger = logging.getLogger(__name__)

_LITTLE_ENDIAN: tuple[str, ...] = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
_MAX_KINDS = 60
"""SOP class and transfer syntax pairs in one association: it has room for 128 contexts, PS3.8 9.3.2.2."""


_CURE = "send it again from where it came, and look at the disk"


@dataclass(frozen=True, slots=True)
class Original:
    """A received object in the spool. sha256: hex digest of its data set as it came over the wire."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    sha256: str


def forward(
    originals: Sequence[Original], destination: Destination, *, calling_ae_title: str
) -> Iterator[tuple[Original, Receipt | DeliveryError]]:
    """Send originals in order; yield each with its receipt, or with why it was not taken, as soon as that is known.

    Raises Unreachable or AssociationRejected when there is no association (any more): what was not yielded until then
    was not taken, or its answer was lost. `broke_off` says that it was the first of those that ended it.
    """
    for group in _groups(originals):
        with ExitStack() as stack:
            try:
                peer = stack.enter_context(Peer(destination, calling_ae_title, _contexts(group)))
            except DeliveryRefused as error:  # none of the contexts is accepted
                yield from ((original, error) for original in group)
                continue
            for original in group:
                try:
                    yield original, _send(original, peer)
                except (Unreachable, AssociationRejected) as error:
                    error.broke_off = True
                    raise  # the association is gone
                except DeliveryError as error:
                    yield original, error
                except Exception as error:  # of an object that breaks a library the others must not wait for ever
                    logger.exception("deliver: %s could not be sent", original.path)
                    words = f"{peer.name} did not get {original.sop_instance_uid}, got a fault: {type(error).__name__}"
                    yield original, DeliveryError(words)


def _send(original: Original, peer: Peer) -> Receipt:
    uid = original.sop_instance_uid
    _check(original)
    accepted = peer.transfer_syntaxes(original.sop_class_uid)
    if original.transfer_syntax_uid in accepted:
        return receipt_for(peer.send(original.path), uid, peer.name)
    own = UID(original.transfer_syntax_uid)
    other = next((syntax for syntax in accepted if syntax in _LITTLE_ENDIAN), None)
    if own not in _LITTLE_ENDIAN or other is None:
        raise DeliveryRefused(
            f"{peer.name} does not take {UID(original.sop_class_uid).name} in {own.name}, and {uid} is not changed for "
            f"it, got a refusal of the context"
        )
    receipt = receipt_for(peer.send(_read_whole(original)), uid, peer.name)
    words = f"sent as {UID(other).name} instead of {own.name}, which the destination does not take; no value changed"
    return Receipt(uid, "warning", receipt.code, f"{receipt.detail}; {words}" if receipt.detail else words)


def _read_whole(original: Original) -> Dataset:
    """Return an object to be encoded anew. Raises DeliveryRefused when it cannot be read to its last byte."""
    try:
        with original.path.open("rb") as stream:
            data_set = dcmread(stream)
            rest = len(stream.read())
    except Exception as error:  # pydicom says in many ways that bytes are no data set
        rest, why = 1, type(error).__name__
    else:
        why = f"{rest} bytes behind it"
    if rest:
        raise DeliveryRefused(
            f"an object must be whole to be encoded anew for a destination, got {why}: {original.path}"
        )
    return data_set


def _check(original: Original) -> None:
    """Raise Unsendable when a file does not hold the bytes that were received, DeliveryError if none can tell."""
    try:
        _, offset = split_dataset(original.path)
        with original.path.open("rb") as stream:
            stream.seek(offset)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        words = f"the spool must hold {original.path}, got {error.strerror}"
        if isinstance(error, FileNotFoundError) and original.path.parent.exists():
            raise Unsendable(f"{words}; {_CURE}") from None
        raise DeliveryError(words) from None  # a disk that is away, or no more files may be open
    except (InvalidDicomError, EOFError, ValueError, AttributeError) as error:
        raise Unsendable(f"the spool must hold a DICOM file, got {error}: {original.path}; {_CURE}") from None
    if digest != original.sha256:
        raise Unsendable(f"the file must hold what was received, got other bytes: {original.path}; {_CURE}")


def _groups(originals: Sequence[Original]) -> Iterator[list[Original]]:
    """Yield runs of originals that fit into one association."""
    group: list[Original] = []
    kinds: set[tuple[str, str]] = set()
    for original in originals:
        kind = original.sop_class_uid, original.transfer_syntax_uid
        if kind not in kinds and len(kinds) == _MAX_KINDS:
            yield group
            group, kinds = [], set()
        kinds.add(kind)
        group.append(original)
    if group:
        yield group


def _contexts(originals: Sequence[Original]) -> list[PresentationContext]:
    own = dict.fromkeys((original.sop_class_uid, original.transfer_syntax_uid) for original in originals)
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in own]
    for sop_class in dict.fromkeys(sop_class for sop_class, syntax in own if syntax in _LITTLE_ENDIAN):
        others: list[Any] = [syntax for syntax in _LITTLE_ENDIAN if (sop_class, syntax) not in own]
        if others:
            contexts.append(build_context(sop_class, others))
    return contexts
