"""What a destination said about a document that it took."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from qagate.domain.status import NOT_AUTHORISED, PROCESSING_FAILURE, RESOURCE_LIMITATION, SUCCESS
from qagate.errors import DeliveryError, DeliveryRefused, ReportError

logger = logging.getLogger(__name__)

_DELIVERED_WITH_WARNING = frozenset({0x0111, 0xB000, 0xB006, 0xB007})
# an administrator can change who is authorised
TRY_AGAIN = frozenset({PROCESSING_FAILURE, RESOURCE_LIMITATION, NOT_AUTHORISED})


@dataclass(frozen=True, slots=True)
class Receipt:
    """The destination has the document.

    `status` is "warning" when it took it with a remark: `code` is then the status (C-STORE) or warning reason (STOW-RS)
    and `detail` its meaning.
    """

    sop_instance_uid: str
    status: Literal["stored", "warning"]
    code: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """A file that can be sent."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def read_variants(documents: Sequence[Sequence[Path]]) -> tuple[tuple[Variant, ...], ...]:
    """Return what the files say about themselves, but not their content.

    Raises ReportError, or DeliveryError when they cannot be read at this moment.
    """
    return tuple(tuple(_read(path) for path in variants) for variants in documents)


def _read(path: Path) -> Variant:
    try:
        data_set = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        return Variant(
            path=path,
            sop_class_uid=str(data_set.SOPClassUID),
            sop_instance_uid=str(data_set.SOPInstanceUID),
            transfer_syntax_uid=str(data_set.file_meta.TransferSyntaxUID),
        )
    except OSError as error:
        words = f"a document to deliver must be readable, got {error.strerror}: {path}"
        if isinstance(error, FileNotFoundError) and path.parent.exists():
            raise ReportError(words) from None
        raise DeliveryError(words) from None  # a disk that is away, or no more files may be open
    except (InvalidDicomError, AttributeError, EOFError, ValueError) as error:
        raise ReportError(f"a document to deliver must be a DICOM file, got {error}: {path}") from None


def raise_refused(refused: Sequence[DeliveryError], receipts: Sequence[Receipt]) -> None:
    """Raise one error for all documents that were not taken, if there are any.

    It is of a kind that can be tried again if that can help one of them: the documents are then offered again.
    """
    if not refused:
        return
    first = next((error for error in refused if error.retryable), refused[0])
    combined = type(first)("; ".join(str(error) for error in refused))
    combined.receipts = tuple(receipts)
    raise combined


def receipt_for(status: int, sop_instance_uid: str, peer: str) -> Receipt:
    """Return what a C-STORE status means. Raises DeliveryError for a refusal, DeliveryRefused for one that is for good.

    peer: its name, for messages. Source: PS3.4 Table B.2-1, PS3.7 Annex C.
    """
    said = f"status 0x{status:04X} ({meaning(status)})"
    if status == SUCCESS:
        return Receipt(sop_instance_uid, "stored", status)
    if status in _DELIVERED_WITH_WARNING or 0xB000 <= status <= 0xBFFF:
        logger.warning("deliver: %s took %s with %s", peer, sop_instance_uid, said)
        return Receipt(sop_instance_uid, "warning", status, meaning(status))
    if status in TRY_AGAIN or 0xA700 <= status <= 0xA7FF:
        raise DeliveryError(f"{peer} could not take {sop_instance_uid} now, got {said}")
    raise DeliveryRefused(f"{peer} refused {sop_instance_uid}, got {said}")


def meaning(status: int) -> str:
    """Return the words for a C-STORE status. Source: PS3.4 Table B.2-1, PS3.7 Annex C."""
    if status in _MEANINGS:
        return _MEANINGS[status]
    for first, last, words in _RANGES:
        if first <= status <= last:
            return words
    return "unknown status"


_MEANINGS = {
    0x0000: "success",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such object instance",
    0x0117: "invalid object instance",
    0x0119: "class and instance do not go together",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0210: "duplicate invocation",
    0x0211: "unrecognised operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0xB000: "coercion of data elements",
    0xB006: "elements discarded",
    0xB007: "data set does not match SOP class",
}
_RANGES = (
    (0xA700, 0xA7FF, "out of resources"),
    (0xA900, 0xA9FF, "data set does not match SOP class"),
    (0xB000, 0xBFFF, "warning"),
    (0xC000, 0xCFFF, "cannot understand"),
)
