"""When a decoder process is given up."""

from __future__ import annotations

import pytest

from qagate.assemble import child


@pytest.mark.parametrize(
    ("waited_seconds", "worked_seconds", "passed"),
    [
        (60.0, 59.0, False),
        (130.0, 100.0, True),  # it works on one frame for ever
        (130.0, 1.0, False),  # a crowded machine gave it nothing to work with
        (1300.0, 1.0, True),  # it sleeps for ever
    ],
)
def test_a_decoder_is_given_up_for_its_work_not_for_waiting(
    monkeypatch: pytest.MonkeyPatch, waited_seconds: float, worked_seconds: float, passed: bool
) -> None:
    now, worked = [1000.0], [5.0]
    monkeypatch.setattr(child.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(child, "_processor_seconds", lambda _: worked[0])
    deadline = child._Deadline(1)
    assert deadline.left() == child.TIMEOUT_SECONDS
    now[0] += waited_seconds
    worked[0] += worked_seconds
    assert deadline.passed() == passed
    assert deadline.left() >= 1.0


def test_processor_time_of_a_process() -> None:
    import os

    assert child._processor_seconds(os.getpid()) > 0
    assert child._processor_seconds(1 << 30) == 0
