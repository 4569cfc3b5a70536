"""Described: labelled pictures as numbers, looked at by several processes side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import InputError, QagateError, ScoringError
from qagate.score.head import Described
from qagate.train.evaluate import worst
from qagate.train.pictures import Reader, Row, pictures, read_index

FEWEST = 10
MANY = 40
"""Images from which it is worth the while to start processes."""

Features = npt.NDArray[np.float32]
Parts = tuple[int, ...]
"""Lengths of the parts of the features: network, hand-made, assessor, eye."""


class Describes(Protocol):
    """What fine-tuning needs of a scorer."""

    def describe(self, volume: Volume, prompt: Prompt) -> Described:
        """Return one volume as numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Images as features. network: (items, c); handmade: (items, 112); assessor, eye: (items, k).

    labels, groups: (items,), groups from 0. zero_shot: (items,) 0..1, what the bundle says by itself, 1 best.
    """

    network: Features
    handmade: Features
    assessor: Features
    eye: Features
    zero_shot: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    groups: npt.NDArray[np.intp]
    names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def features(self) -> Features:
        """All parts side by side, (items, features)."""
        return np.concatenate([self.network, self.handmade, self.assessor, self.eye], axis=1)

    @property
    def parts(self) -> Parts:
        """How many features each part has."""
        return tuple(part.shape[1] for part in (self.network, self.handmade, self.assessor, self.eye))

    def some(self, chosen: npt.NDArray[np.bool_]) -> Labelled:
        """Return a part of the items, their groups numbered anew."""
        _, groups = np.unique(self.groups[chosen], return_inverse=True)
        return Labelled(
            self.network[chosen],
            self.handmade[chosen],
            self.assessor[chosen],
            self.eye[chosen],
            self.zero_shot[chosen],
            self.labels[chosen],
            groups,
        )


def describe(
    index: Path,
    scorer: Describes,
    *,
    reader: Reader | None = None,
    modality: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    model: Path | None = None,
    workers: int = 1,
) -> Labelled:
    """Return the features of every usable image of an index. Raises InputError when there are fewer than ten.

    workers: processes that look at images side by side, each with the bundle `model`; 1 is this one, with `scorer`.
    """
    rows, problems = read_index(index, modality)
    found, kept = [], []
    for row, one in zip(rows, _seen(rows, scorer, reader, model, workers), strict=True):
        if isinstance(one, str):
            problems.append(one)
            continue
        found.append(one)
        kept.append(row)
        if progress:
            progress(len(kept), len(rows))
    if len(kept) < FEWEST:
        raise InputError(f"{index} must have at least {FEWEST} usable rows, got {len(kept)}{worst(problems)}")
    labels = np.array([row.score for row in kept])
    if np.ptp(labels) == 0:
        raise InputError(f"{index} must have scores that differ, got {labels[0]:g} everywhere")
    _, groups = np.unique([row.group for row in kept], return_inverse=True)
    return Labelled(
        np.array([one.network for one in found], np.float32),
        np.array([one.handmade for one in found], np.float32),
        np.array([one.assessor for one in found], np.float32),
        np.array([one.eye for one in found], np.float32),
        np.array([one.score for one in found]),
        labels,
        groups,
        tuple(str(row.path) for row in kept),
        tuple(problems),
    )


def _seen(
    rows: Sequence[Row], scorer: Describes, reader: Reader | None, model: Path | None, workers: int
) -> Iterator[Described | str]:
    """Yield for each row its description, or the sentence on why there is none."""
    if workers < 2 or len(rows) < MANY:
        yield from (_see(row, scorer, reader) for row in rows)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (model, reader)) as pool:
        try:
            yield from pool.map(_see_there, rows, chunksize=4)
        except BrokenProcessPool:
            why = "a process that looked at pictures was ended, as for lack of memory"
            raise ScoringError(f"{why}; --workers must be fewer, got {workers}") from None


def _see(row: Row, scorer: Describes, reader: Reader | None) -> Described | str:
    problems: list[str] = []
    for picture in pictures([row], problems, reader):
        try:
            return scorer.describe(picture.volume, picture.prompt)
        except QagateError as error:
            problems.append(f"line {row.line}: {error}")
    return problems[-1]  # the first may be a note on what was read


_there: list[tuple[Describes, Reader | None]] = []
"""What a process of `_seen` has loaded."""


def _start(model: Path | None, reader: Reader | None) -> None:
    from qagate.score.scorer import Scorer

    _there.append((Scorer.load(model, device="cpu", threads=1), reader))


def _see_there(row: Row) -> Described | str:
    return _see(row, *_there[0])
