"""Grid: frames that make no one regular grid → those that do, each for itself. Pure."""

from __future__ import annotations

import itertools
import math
import statistics

from qagate.assemble.frame import Frame, dot
from qagate.assemble.slots import along_normal, by, identity, names_of, slots_along

# Slices whose steps differ by less than this part of the median step (or of a multiple) are of one grid; by more than
# that part they are certainly not, nor when one step is as long as this many.
ON_GRID, OFF_GRID, LONGEST_GAP = 0.2, 0.4, 4.5
FEWEST = 3
"""Fewer slices than this make no grid of their own."""
CONTIGUOUS = 1.3
"""Slices up to this many thicknesses apart show a range once over; every other one lies further apart."""
SAME_CORNER_MM, OTHER_CORNER_MM = 1.0, 10.0
"""First pixels of one stack lie above one another, those of stacks side by side do not; between, nothing is sure."""


MOST_BESIDE = 4
"""More corners than this are those of one stack that drifts, as a tilted one does."""


def split_irregular(frames: list[Frame]) -> list[list[Frame]]:
    """Part frames that make no regular grid, where some property makes several regular ones that overlap.

    Two acquisitions of one place, thin and thick slices, slices that followed a movement. Where steps are only a little
    uneven, or nothing but their numbers sets frames apart, each part must show the range on its own: half of a stack
    that was acquired in two halves is no volume.
    """
    if len(frames) < 6 or _regular(frames, ON_GRID):
        return [frames]
    uneven = not _regular(frames, OFF_GRID)
    for name in names_of(frames, "repeats"):
        parts = by(frames, lambda frame, n=name: dict(frame.repeats).get(n))  # type: ignore[misc]
        if _grids(parts) and (uneven or all(_contiguous(part) for part in parts)):
            return parts
    parts = _passes(frames)
    return parts if len(parts) > 1 and _grids(parts) and all(_contiguous(part) for part in parts) else [frames]


def split_beside(frames: list[Frame]) -> list[list[Frame]]:
    """Part stacks that lie side by side in their planes: both hands or hips, stations of a spine."""
    parts: list[list[Frame]] = []
    for frame in frames:
        part = next((part for part in parts if _apart(part[0], frame) < SAME_CORNER_MM), None)
        if part is None:
            if len(parts) == MOST_BESIDE:
                return [frames]
            parts.append([frame])
        else:
            part.append(frame)
    if len(parts) == 1 or any(_apart(a[0], b[0]) < OTHER_CORNER_MM for a, b in itertools.combinations(parts, 2)):
        return [frames]
    return parts if _grids(parts) else [frames]


def _apart(a: Frame, b: Frame) -> float:
    """Return how far the first pixels of two parallel frames are apart within the plane, in mm."""
    (x, y, z), (u, v, w) = a.position or (0.0, 0.0, 0.0), b.position or (0.0, 0.0, 0.0)
    row, column = a.row or (1.0, 0.0, 0.0), a.column or (0.0, 1.0, 0.0)
    between = (u - x, v - y, w - z)
    return math.hypot(dot(between, row), dot(between, column))


def _grids(parts: list[list[Frame]]) -> bool:
    """Return whether every part is a regular grid of its own, and they lie at the same places."""
    return (
        min(len(part) for part in parts) >= FEWEST
        and all(_regular(part, ON_GRID) for part in parts)
        and _overlap(parts)
    )


def _contiguous(frames: list[Frame]) -> bool:
    thickness = [frame.slice_thickness for frame in frames if frame.slice_thickness]
    return bool(thickness) and statistics.median(_steps(frames)) <= CONTIGUOUS * statistics.median(thickness)


def _passes(frames: list[Frame]) -> list[list[Frame]]:
    """Part frames in the order of their numbers where they turn round along the normal."""
    parts: list[list[Frame]] = [[]]
    for frame in sorted(frames, key=identity):
        last = parts[-1]
        if len(last) > 1 and (along_normal(frame) > along_normal(last[-1])) != (
            along_normal(last[1]) > along_normal(last[0])
        ):
            parts.append([])
        parts[-1].append(frame)
    return parts


def split_stacks(frames: list[Frame]) -> list[list[Frame]]:
    """Part stacks that lie far apart in one direction: both breasts or temporomandibular joints, the discs of a spine.

    Their numbers run on across the hole, so nothing was lost there. A smaller hole stays one that a person should see.
    """
    ordered, steps = [slot[0] for slot in slots_along(frames)], _steps(frames)
    longest = LONGEST_GAP * statistics.median_low(steps) if steps else 0.0
    cuts = [i + 1 for i, step in enumerate(steps) if step > longest]
    parts = [ordered[a:b] for a, b in itertools.pairwise([0, *cuts, len(ordered)])]
    if len(parts) == 1 or len(ordered) < len(frames) or not _numbered_on(frames, parts):
        return [frames]
    if all(len(part) >= FEWEST and _regular(part, ON_GRID) for part in parts):
        return [sorted(part, key=identity) for part in parts]
    return [frames]


def _numbered_on(frames: list[Frame], parts: list[list[Frame]]) -> bool:
    """Return whether frames are numbered without a gap, and each part of them is."""
    if len({frame.sop_instance_uid for frame in frames}) > 1:  # the frames of one object cannot be lost one by one
        numbers = sorted(-1 if frame.instance_number is None else frame.instance_number for frame in frames)
        apart = {b - a for a, b in itertools.pairwise(numbers)}
        if numbers[0] < 0 or len(apart) > 1 or 0 in apart:
            return False
    rank = {frame.key: place for place, frame in enumerate(sorted(frames, key=identity))}
    return all(max(ranks) - min(ranks) < len(ranks) for part in parts if (ranks := [rank[f.key] for f in part]))


def _regular(frames: list[Frame], within: float) -> bool:
    steps = _steps(frames)
    if not steps:
        return True
    usual = statistics.median(steps)
    off = (abs(step - max(1, round(step / usual)) * usual) for step in steps)
    return max(steps) < LONGEST_GAP * usual and all(mm < within * usual for mm in off)


def _steps(frames: list[Frame]) -> list[float]:
    along = [along_normal(slot[0]) for slot in slots_along(frames)]
    return [b - a for a, b in itertools.pairwise(along)]


def _overlap(parts: list[list[Frame]]) -> bool:
    """Return whether the part that begins first ends after the next one begins, and so on."""
    ranges = sorted((min(along), max(along)) for part in parts if (along := [along_normal(frame) for frame in part]))
    return all(first[1] > second[0] for first, second in itertools.pairwise(ranges))
