from __future__ import annotations

import threading

import pytest

from qagate.deliver.checkpoint import Checkpoint


@pytest.mark.timeout(60)
def test_after_clear_the_thread_touches_nothing_until_set():
    """The thread of pynetdicom's shape: pass the checkpoint, then take what lies there."""
    taken: list[int] = []
    lies: list[int] = []
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            checkpoint.wait()
            if lies:
                taken.append(lies.pop())

    thread = threading.Thread(target=run, daemon=True)
    checkpoint = Checkpoint(thread)
    thread.start()
    for number in range(3000):
        checkpoint.clear()
        lies.append(number)  # an answer arrives
        assert lies == [number]
        assert lies.pop() == number
        checkpoint.set()
    ended.set()
    thread.join()
    assert taken == []


def test_clear_returns_when_the_thread_has_ended():
    thread = threading.Thread(target=lambda: None)
    checkpoint = Checkpoint(thread)
    thread.start()
    thread.join()
    checkpoint.clear()
    assert not checkpoint.is_set()
    assert not checkpoint.wait(0.01)


def test_the_thread_may_close_it_before_itself():
    done = []

    def run() -> None:
        checkpoint.clear()
        done.append(checkpoint.is_set())

    thread = threading.Thread(target=run)
    checkpoint = Checkpoint(thread)
    thread.start()
    thread.join()
    assert done == [False]
