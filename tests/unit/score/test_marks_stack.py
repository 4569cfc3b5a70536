from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from qagate.score import marks, marks_stack

NOISE = 0.15
"""Of a thin slice, in units of the soft-tissue window: more than what neighbours differ by."""


def stack(seed: int = 0, slices: int = 4, noise: float = NOISE) -> np.ndarray:
    """Return slices of smooth anatomy that changes steadily, 0..1, with noise of their own."""
    random = np.random.default_rng(seed)
    anatomy = ndimage.gaussian_filter(random.normal(size=(48, 128, 128)), (14, 8, 8))[20 : 20 + 2 * slices : 2]
    anatomy = 0.5 + 0.15 * anatomy / anatomy.std()
    return (anatomy + noise * random.normal(size=anatomy.shape)).astype(np.float32)


def marked(task: np.ndarray) -> dict[str, float]:
    values = list(marks_stack.marks(task, np.ones(task.shape, bool)))
    assert len(values) == len(marks_stack.NAMES)
    assert np.isfinite(values).all()
    return dict(zip(marks_stack.NAMES, values, strict=True))


def test_slices_in_order_need_no_other_way():
    """Each step leads on: no way through the slices is shorter, and none lies beside the line of its neighbours."""
    found = marked(stack(noise=0.0))
    assert found["stack_12_cost"] == pytest.approx(0.0, abs=0.02)
    assert found["stack_12_violation"] < 0
    assert found["stack_12_skip"] > 1.5  # two steps lead about twice as far as one


FAULTS = {
    "swapped": (lambda x: x[[0, 2, 1, 3]], "stack_12_cost"),
    "dropped": (lambda x: x[[0, 3, 3, 3]], "stack_12_most"),
    "one of another place": (lambda x: np.stack([x[0], stack(9)[1], x[2], x[3]]), "stack_12_bend_most"),
    "darker": (lambda x: x * np.array([1, 0.7, 1, 1], np.float32)[:, None, None], "stack_level"),
    "blurred": (lambda x: np.stack([x[0], ndimage.gaussian_filter(x[1], 2), x[2], x[3]]), "stack_edges"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_raises_its_mark_through_the_noise(fault):
    done, mark = FAULTS[fault]
    for seed in range(5):
        whole = stack(seed)
        assert marked(done(whole))[mark] > marked(whole)[mark] + 0.03, seed


def test_a_copy_is_no_step():
    for seed in range(5):
        whole = stack(seed)
        assert marked(whole[[0, 1, 1, 2]])["stack_4_least"] < marked(whole)["stack_4_least"] - 1


def test_a_stack_read_backwards_is_the_same():
    one = stack()
    assert list(marked(one[::-1]).values()) == pytest.approx(list(marked(one).values()), rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 32, 32), (3, 33, 47), (4, 176, 176)])
def test_every_shape_is_described(shape):
    found = marked(np.random.default_rng(0).random(shape).astype(np.float32))
    assert (set(found.values()) == {0.0}) is (shape[0] == 1)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_slices_of_nothing_are_no_trouble(value):
    task = np.full((4, 40, 40), value, np.float32)
    assert np.isfinite(list(marks_stack.marks(task, np.zeros(task.shape, bool)))).all()
    assert np.isfinite(list(marks_stack.marks(*marks.tissue(task, "MR")))).all()
