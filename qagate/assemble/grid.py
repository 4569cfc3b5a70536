"""Grid: frames that make no one regular grid → those that do, each for itself. Pure."""

from __future__ import annotations

import itertools
import statistics

from qagate.assemble.frame import Frame
from qagate.assemble.slots import along_normal, by, identity, names_of, slots_along

# Slices whose steps differ by less than this part of the median step (or of a multiple) are of one grid; by more than
# that part they are certainly not, nor when one step is as long as this many.
ON_GRID, OFF_GRID, LONGEST_GAP = 0.2, 0.4, 4.5
FEWEST = 3
"""Fewer slices than this make no grid of their own."""


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
