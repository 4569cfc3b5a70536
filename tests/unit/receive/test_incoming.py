from __future__ import annotations

import os
from pathlib import Path

import pytest

from qagate.errors import SpoolError, SpoolFull, TooLarge
from qagate.receive.incoming import Incoming


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("spill_bytes", [1 << 20, 25, 10, 0])
def test_all_fragments_come_out_in_order(tmp_path: Path, spill_bytes: int) -> None:
    before = descriptors()
    incoming = Incoming(tmp_path, spill_bytes=spill_bytes)
    for _ in range(2):  # one object after the other
        for number in range(10):
            incoming.add(memoryview(bytes([number]) * 10))
        with incoming.taken() as data_set:
            assert bytes(data_set) == b"".join(bytes([number]) * 10 for number in range(10))
            assert list(tmp_path.iterdir()) == []  # the file has no name
        assert descriptors() == before
    with incoming.taken() as data_set:
        assert bytes(data_set) == b""


def test_many_small_fragments_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qagate.receive.incoming._MOST_FRAGMENTS", 100)
    incoming = Incoming(tmp_path)
    for number in range(950):
        incoming.add(memoryview(bytes([number % 256])))
        incoming.add(memoryview(b""))
        assert len(incoming._fragments) <= 100
    with incoming.taken() as data_set:
        assert bytes(data_set) == bytes(number % 256 for number in range(950))


@pytest.mark.parametrize("spill_bytes", [1 << 20, 5])
def test_what_is_too_large_is_read_to_its_end_and_not_kept(tmp_path: Path, spill_bytes: int) -> None:
    before = descriptors()
    incoming = Incoming(tmp_path, max_bytes=20, spill_bytes=spill_bytes)
    for _ in range(3):
        incoming.add(bytes(10))
    assert (incoming._held, incoming._file, descriptors()) == (0, None, before)
    incoming.add(bytes(10))
    with pytest.raises(TooLarge, match=r"at most 20 bytes \(storage.max_object_mb\), got 40"), incoming.taken():
        pass
    incoming.add(b"next")
    with incoming.taken() as data_set:
        assert bytes(data_set) == b"next"


def test_a_disk_without_room(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path, free_bytes=lambda: 15, spill_bytes=10)
    for _ in range(5):
        incoming.add(bytes(10))
    with pytest.raises(SpoolFull, match="got 50"), incoming.taken():
        pass
    incoming = Incoming(tmp_path / "gone", spill_bytes=10)
    incoming.add(bytes(20))
    with pytest.raises(SpoolError, match="No such file"), incoming.taken():
        pass


def test_nothing_is_left_of_what_did_not_come_to_its_end(tmp_path: Path) -> None:
    before = descriptors()
    incoming = Incoming(tmp_path, spill_bytes=0)
    incoming.add(bytes(10))
    assert descriptors() == before + 1
    incoming.clear()
    assert descriptors() == before
