"""Grid: frames that make no one regular grid → those that do, each for itself. Pure."""

from __future__ import annotations

import itertools
import statistics

from qagate.assemble.frame import Frame
from qagate.assemble.slots import along_normal, by, identity, names_of, repeats_of, slots_along

# Slices whose steps differ by less than this part of the median step (or of a multiple) are of one grid; by more than
# that part they are certainly not, nor when one step is as long as this many.
ON_GRID, OFF_GRID, LONGEST_GAP = 0.2, 0.4, 4.5
# A step of more than this many parts two stacks, if each has this many slices and nothing was lost between them.
HOLE, FEWEST = 2.5, 3


def split_irregular(frames: list[Frame]) -> list[list[Frame]]:
    """Part frames that make no regular grid, where some property makes several regular ones that overlap.

    Two acquisitions of one place, thin and thick slices, slices that followed a movement.
    """
    if len(frames) < 6 or _regular(frames, OFF_GRID):
        return [frames]
    for name in names_of(frames, "repeats"):
        parts = by(frames, lambda frame, n=name: dict(frame.repeats).get(n))  # type: ignore[misc]
        if (
            min(len(part) for part in parts) >= FEWEST
            and all(_regular(part, ON_GRID) for part in parts)
            and _overlap(parts)
        ):
            return parts
    return [frames]


def split_stacks(frames: list[Frame]) -> list[list[Frame]]:
    """Part stacks that lie apart in one direction: both breasts or temporomandibular joints, the discs of a spine.

    They say so by Stack ID (PS3.3 C.7.6.16.2.2.4), or by numbers that run on across the hole: nothing was lost there.
    """
    if repeats_of(frames) or _even(frames):
        return [frames]
    for parts in (by(frames, lambda frame: dict(frame.repeats).get("StackID")), _numbered_on(frames)):
        if len(parts) > 1 and all(len(part) >= FEWEST and _regular(part, ON_GRID) for part in parts):
            return parts
    return [frames]


def _numbered_on(frames: list[Frame]) -> list[list[Frame]]:
    """Part at the holes when frames are numbered without a gap, and so is each part; else return one part."""
    ordered, steps = [slot[0] for slot in slots_along(frames)], _steps(frames)
    cuts = [i + 1 for i, step in enumerate(steps) if step > HOLE * statistics.median_low(steps)]
    parts = [ordered[a:b] for a, b in itertools.pairwise([0, *cuts, len(ordered)])]
    rank = {frame.key: place for place, frame in enumerate(sorted(frames, key=identity))}
    if any(max(ranks) - min(ranks) >= len(ranks) for part in parts if (ranks := [rank[f.key] for f in part])):
        return [frames]
    if len({frame.sop_instance_uid for frame in frames}) > 1:  # the frames of one object cannot be lost one by one
        numbers = sorted(-1 if frame.instance_number is None else frame.instance_number for frame in frames)
        apart = {b - a for a, b in itertools.pairwise(numbers)}
        if numbers[0] < 0 or len(apart) > 1 or 0 in apart:
            return [frames]
    return [sorted(part, key=identity) for part in parts]


def _even(frames: list[Frame]) -> bool:
    """Return whether all steps are one step."""
    steps = _steps(frames)
    usual = statistics.median(steps) if steps else 0.0
    return all(abs(step - usual) < ON_GRID * usual for step in steps)


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
