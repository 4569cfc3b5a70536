from __future__ import annotations

import numpy as np
import pytest

from qagate.score import head
from qagate.train import gaussian, metrics


def _data(items: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(items, 6)).astype(np.float32)
    return x, np.sin(x[:, 0]) + 0.5 * x[:, 4], np.arange(items) // 10


def test_it_learns_a_smooth_function() -> None:
    x, y, groups = _data(200, 0)
    fresh, truth, _ = _data(200, 1)
    found = gaussian.fit(x, y, groups, (4, 2))
    said = head.gaussian(fresh, (4, 2), found.weights, found.lengths, x[found.chosen], found.dual)
    assert metrics.srcc(said, truth) > 0.9


def test_leaving_a_group_out_in_closed_form_is_leaving_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, groups = _data(60, 2)
    monkeypatch.setattr(gaussian, "STEPS", 0)  # the settings stay at their start, so that refitting is comparable
    whole = gaussian.fit(x, y, groups, (4, 2))
    for group in (0, 3):
        out = groups == group
        part = gaussian.fit(x[~out], y[~out], groups[~out], (4, 2))
        said = head.gaussian(x[out], (4, 2), part.weights, part.lengths, x[~out][part.chosen], part.dual)
        assert said == pytest.approx(whole.out_of_group[out], abs=1e-4)


def test_an_empty_part_is_left_out() -> None:
    x, y, groups = _data(40, 3)
    found = gaussian.fit(x, y, groups, (0, 6))
    assert np.isfinite(head.gaussian(x, (0, 6), found.weights, found.lengths, x[found.chosen], found.dual)).all()


def test_parts_that_are_not_used_have_no_weight() -> None:
    x, y, groups = _data(60, 4)
    found = gaussian.fit_parts(x, y, groups, (2, 2, 2), (True, False, True))
    said = head.gaussian(x, (2, 2, 2), found.weights, found.lengths, x[found.chosen], found.dual)
    other = x.copy()
    other[:, 2:4] = 9.0
    assert np.array_equal(
        head.gaussian(other, (2, 2, 2), found.weights, found.lengths, other[found.chosen], found.dual), said
    )
    assert np.std(said) > 0.1
