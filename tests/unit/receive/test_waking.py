from __future__ import annotations

import os
import select
import threading

import pytest

from qagate.receive.waking import Announced, Bell, Checkpoint


def readable(bell: Bell) -> bool:
    poll = select.poll()
    poll.register(bell, select.POLLIN)
    return bool(poll.poll(0))


def test_a_bell_rings_until_it_is_hushed() -> None:
    bell = Bell()
    assert not readable(bell)
    bell.ring()
    bell.ring()
    assert readable(bell)
    bell.hush()
    assert not readable(bell)
    bell.hush()
    bell.close()


def test_a_closed_bell_is_silent_and_touches_no_other_descriptor() -> None:
    bell = Bell()
    number = bell.fileno()
    bell.close()
    bell.close()
    reader, writer = os.pipe()  # takes the number that the bell had
    try:
        assert number in (reader, writer)
        bell.ring()
        bell.hush()
        with pytest.raises(ValueError, match="closed"):
            bell.fileno()
        assert not select.select([reader], [], [], 0)[0]
    finally:
        os.close(reader)
        os.close(writer)


def test_a_queue_tells_of_every_item_once_it_is_there() -> None:
    seen: list[int] = []
    queue = Announced(lambda: seen.append(queue.queue[-1]))
    for item in (1, 2, 3):
        queue.put(item)
    assert seen == [1, 2, 3]
    assert [queue.get() for _ in seen] == [1, 2, 3]


def test_news_that_came_before_the_wait_is_not_lost() -> None:
    checkpoint = Checkpoint()
    checkpoint.tell()
    assert checkpoint.wait()


def test_whoever_is_held_up_passes_only_when_let_go() -> None:
    checkpoint = Checkpoint()
    checkpoint.clear()
    passed = threading.Event()
    thread = threading.Thread(target=lambda: (checkpoint.wait(), passed.set()))
    thread.start()
    checkpoint.tell()  # news alone lets nobody pass
    assert not passed.wait(0.2)
    checkpoint.set()
    assert passed.wait(30)
    thread.join()
