"""Slots: which frames lie at one place along their normal, and what sets frames apart. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from qagate.assemble.frame import Frame, KeyValue, Vector3, cross, dot

# Positions closer than this along the normal are the same place; thinner steps do not exist in the clinic.
SAME_PLACE_MM = 0.02


def slots_of(frames: Sequence[Frame], normal: Vector3 | None) -> list[list[Frame]]:
    """Return the frames at each place along the normal, ascending; at one place by Instance Number, then by UID."""
    assert normal is not None
    along = sorted(((dot(frame.position or (0.0, 0.0, 0.0), normal), frame) for frame in frames), key=_place)
    slots: list[list[Frame]] = []
    last = -math.inf
    for place, frame in along:
        if place - last > SAME_PLACE_MM:
            slots.append([])
            last = place
        slots[-1].append(frame)
    return [sorted(slot, key=identity) for slot in slots]


def _place(pair: tuple[float, Frame]) -> tuple[float, tuple[int, int, str, int]]:
    return pair[0], identity(pair[1])


def identity(frame: Frame) -> tuple[int, int, str, int]:
    """Return what frames are sorted by: Instance Number, place in a concatenation, SOP Instance UID, frame number."""
    number = frame.instance_number if frame.instance_number is not None else 1 << 31
    return number, frame.offset, frame.sop_instance_uid, frame.frame_number or 0


def by(frames: Iterable[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    """Part frames by a key; parts come in the order of their first frames."""
    parts: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[key(frame)].append(frame)
    return list(parts.values())


def repeats_of(frames: list[Frame]) -> int:
    """Return how many frames lie where another one lies already."""
    return len(frames) - len(slots_along(frames)) if frames[0].row is not None else 0


def slots_along(frames: list[Frame]) -> list[list[Frame]]:
    """Return the frames at each place along the normal of the first one."""
    first = frames[0]
    return slots_of(frames, cross(first.row or (1.0, 0.0, 0.0), first.column or (0.0, 1.0, 0.0)))


def names_of(frames: list[Frame], kind: str) -> list[str]:
    """Return the names of the keys whose values differ among the frames, in their order."""
    values: dict[str, set[KeyValue | None]] = {}
    for frame in frames:
        for name, value in getattr(frame, kind):
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if len(found) > 1]


def along_normal(frame: Frame) -> float:
    """Return where a frame lies along its normal, in mm."""
    row, column = frame.row or (1.0, 0.0, 0.0), frame.column or (0.0, 1.0, 0.0)
    return dot(frame.position or (0.0, 0.0, 0.0), cross(row, column))
