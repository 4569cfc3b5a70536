from __future__ import annotations

import numpy as np

from qagate.domain.assessment import Assessment, SliceScore, Source
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Geometry, SliceRef, Volume
from qagate.work.previews import pictures_of

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def made(scores):
    slices = tuple(SliceRef(f"1.{i}", "1", None, float(i)) for i in range(len(scores)))
    voxels = np.arange(len(scores), dtype=np.int16)[:, None, None] * np.ones((1, 4, 4), np.int16)
    volume = Volume(voxels, Geometry(voxels.shape, (1.0, 1.0, 1.0), IDENTITY), slices, {})
    said = tuple(SliceScore(f"1.{i}", None, float(i), score) for i, score in enumerate(scores))
    source = Source("", "1", "2", len(scores), 0, 1)
    return volume, Assessment(source, Prompt("MR"), volume.geometry, 50.0, None, {}, said, (), (), None)


def test_the_worst_are_from_different_parts_and_the_best_and_the_middle_are_there():
    scores = [80.0] * 40
    scores[10:14] = [10, 11, 12, 13]  # neighbours: one picture is enough (40 // 10 = 4 apart)
    scores[30], scores[5], scores[39] = 20, 30, 99
    assert sorted(pictures_of(*made(scores))) == [5, 10, 20, 30, 39]


def test_without_scores_the_middle_is_shown():
    assert list(pictures_of(*made([None] * 7))) == [3]


def test_one_slice():
    assert list(pictures_of(*made([42.0]))) == [0]
