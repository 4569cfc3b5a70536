"""Storage commitment towards a scanner: we promise nothing that the destinations have not. Pure. Source: PS3.4 J.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from qagate.domain.status import CLASS_INSTANCE_CONFLICT, NO_SUCH_OBJECT, PROCESSING_FAILURE
from qagate.settings import Destination

UNKNOWN_FOR = timedelta(seconds=30)
"""How long an object may be unknown: the database learns of it a moment after its sender was told Success."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One object that we received under a SOP Instance UID. forwards: (destination, state) of each of its ways on."""

    sop_class_uid: str
    forwards: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What can be said of one object now. reason: 0 = kept, else why not (PS3.4 Table J.3-2); None = wait."""

    reason: int | None


WAIT, KEPT = Standing(None), Standing(0)


def standing(
    sop_class_uid: str,
    copies: Sequence[Copy],
    destinations: Mapping[str, Destination],
    *,
    waited: timedelta,
    patience: timedelta,
) -> Standing:
    """Return what can be promised for one object, after the scanner has waited for so long.

    Kept means: every destination of every copy has committed to it, or has taken it and is trusted with that by
    `sent_is_kept`. What was rejected, parked, or has no way on is a failure, so that the scanner keeps it.
    destinations: those of originals, by name.
    """
    if not copies:
        return WAIT if waited < UNKNOWN_FOR else Standing(NO_SUCH_OBJECT)
    if all(copy.sop_class_uid != sop_class_uid for copy in copies):
        return Standing(CLASS_INSTANCE_CONFLICT)
    found = [_of_copy(copy, destinations) for copy in copies]
    for worst in (Standing(PROCESSING_FAILURE), WAIT):
        if worst in found:
            return Standing(PROCESSING_FAILURE) if worst is WAIT and waited >= patience else worst
    return KEPT


def _of_copy(copy: Copy, destinations: Mapping[str, Destination]) -> Standing:
    if not copy.forwards:
        return Standing(PROCESSING_FAILURE)  # it was received when nothing was forwarded
    found = [_of_forward(state, destinations.get(name)) for name, state in copy.forwards]
    return next((one for one in (Standing(PROCESSING_FAILURE), WAIT) if one in found), KEPT)


def _of_forward(state: str, destination: Destination | None) -> Standing:
    if state == "committed":
        return KEPT
    if destination is None:
        return Standing(PROCESSING_FAILURE)
    if state in ("held", "planned"):
        return WAIT
    if state in ("sent", "warning"):
        if destination.commitment:
            return WAIT
        if destination.sent_is_kept:
            return KEPT
    return Standing(PROCESSING_FAILURE)
