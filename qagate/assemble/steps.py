"""Steps: how far the slices of a stack lie apart, and which of the steps are odd. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# A step counts as regular within 2 % of the spacing (rounding of positions to 0.01 mm at 1 mm slices stays below it),
# as jitter within 20 % (a gap of a whole slice is 100 %); whole multiples of the spacing within 10 % are gaps.
REGULAR, JITTER, MULTIPLE = 0.02, 0.20, 0.10
REGULAR_MM = 0.02
# Three or more double steps in a row at one end are a change of spacing (older head CT), not lost slices.
RUN = 3
# A hole longer than the stack itself, and than this, parts two blocks: nobody lost that many slices in one place.
BLOCK = 50
# Slices this much thicker than most, and at least this share of a step, fill it.
THICKER, FILLS = 1.1, 0.9


@dataclass(frozen=True, slots=True)
class Steps:
    """What the steps of one stack are: its spacing, and which are odd; see `classify`."""

    spacing: float
    slot: tuple[int, ...]  # of each slice, in a gap-free stack
    missing: tuple[int, ...]
    jitter: tuple[int, ...]  # index of the slice after the step
    variable: tuple[int, ...]


def classify(steps: Sequence[float], thickness: Sequence[float] = ()) -> Steps:
    """Return the spacing of a stack and what is odd about its steps (mm, ascending, all > 0).

    Spacing is the median of the regular steps, found from the lower median so that half of the slices may be missing.
    thickness: of each slice in mm, 0.0 where it is not known; where thicker slices fill their steps, none is missing.
    """
    base = statistics.median_low(steps)
    # Refine: the true spacing may be a little off the one step that happened to be in the middle.
    near = [step for step in steps if abs(step - base) <= JITTER * base]
    base = statistics.median(near)
    tight = max(REGULAR_MM, REGULAR * base)
    counts = [max(1, round(step / base)) for step in steps]
    whole = [abs(step - n * base) <= max(tight, MULTIPLE * base) for step, n in zip(steps, counts, strict=True)]
    meant = _end_runs([n if ok else 0 for n, ok in zip(counts, whole, strict=True)]) | _filled(steps, thickness)
    slot: list[int] = [0]
    missing: list[int] = []
    jitter: list[int] = []
    variable: list[int] = []
    for index, (step, n, ok) in enumerate(zip(steps, counts, whole, strict=True)):
        if n > 1 and (index in meant or (n > BLOCK and n > len(steps))):
            variable.append(index + 1)
            n = 1
        elif n > 1 and ok:
            missing += range(slot[-1] + 1, slot[-1] + n)
        elif abs(step - base) > max(tight, JITTER * base):
            variable.append(index + 1)
            n = 1
        elif abs(step - base) > tight:
            jitter.append(index + 1)
        slot.append(slot[-1] + n)
    return Steps(float(base), tuple(slot), tuple(missing), tuple(jitter), tuple(variable))


def _end_runs(counts: Sequence[int]) -> set[int]:
    """Return the indices of runs of the same multiple > 1, at least RUN long, that reach an end of the stack."""
    found: set[int] = set()
    for order in (range(len(counts)), range(len(counts) - 1, -1, -1)):
        run: list[int] = []
        for index in order:
            if counts[index] < 2 or (run and counts[index] != counts[run[0]]):
                break
            run.append(index)
        if len(run) >= RUN:
            found.update(run)
    return found


def _filled(steps: Sequence[float], thickness: Sequence[float]) -> set[int]:
    """Return the indices of steps that a slice beside them fills, thicker than most are."""
    known = [mm for mm in thickness if mm]
    if not known:
        return set()
    usual = statistics.median_low(known)
    beside = [max(pair) for pair in itertools.pairwise(thickness)]
    return {i for i, mm in enumerate(beside) if mm > THICKER * usual and mm >= FILLS * steps[i]}
