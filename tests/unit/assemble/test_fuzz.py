"""Mutated files never crash, never take unbounded memory, and never raise: the short form of `tests.fuzz_series`.

The mutations run in a child process with limited memory: a crash inside a decoder would otherwise end the tests.
"""

from __future__ import annotations

from tests.fuzz_series import fuzz

INPUTS = 60
SEED = 20240117


def test_mutated_files() -> None:
    said, well = fuzz(INPUTS, SEED)
    assert well, said
    assert said.startswith("done")
