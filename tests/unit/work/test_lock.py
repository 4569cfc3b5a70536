from __future__ import annotations

from pathlib import Path

import pytest

from qagate.work.lock import only_one


def test_one_of_two_is_alone_until_it_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with only_one(path) as first:
        with only_one(path) as second:
            assert (first, second) == (True, False)
        with only_one(path) as third:  # who did not get it took nothing away
            assert third is False
    with only_one(path) as after:
        assert after is True


def test_what_fails_inside_is_not_taken_for_a_fault_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mine"), only_one(tmp_path / "one.lock"):
        raise OSError("mine")


def test_where_no_file_can_be_the_caller_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"), only_one(tmp_path / "nowhere" / "one.lock"):
        pass
