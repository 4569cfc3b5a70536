"""The engine: what counts as begun and is run by nobody is found."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qagate.work.queues import Engine, Queue

QUEUE = Queue("test-queue")
STATUS = "UPDATE workflow_status SET status = 'PENDING', executor_id = ? WHERE workflow_uuid = ?"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[Engine, Path, threading.Event, list[int]]]:
    """A running engine, its file, what lets its work end, and what has been begun."""
    done, begun = threading.Event(), []
    engine = Engine(f"sqlite:///{tmp_path / 'qagate.db'}", executor_id="here:1", queues=(QUEUE,))

    def work(number: int) -> None:
        begun.append(number)
        done.wait(20)

    engine.workflow("work", work)
    engine.start()
    yield engine, tmp_path / "qagate-work.db", done, begun
    done.set()
    engine.stop()


def until(condition: object) -> None:
    end = time.monotonic() + 20
    assert callable(condition)
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_is_run_by_nobody_is_a_stray_and_can_be_begun_anew(engine) -> None:
    engine, file, done, begun = engine
    engine.enqueue(QUEUE, "work", 1, workflow_id="runs")
    until(lambda: begun == [1])
    engine.enqueue(QUEUE, "work", 2, workflow_id="mine")  # waits: one at a time
    engine.enqueue(QUEUE, "work", 3, workflow_id="of-the-dead")
    engine.enqueue(QUEUE, "work", 4, workflow_id="of-another")
    assert engine.strays({"here:1", "there:1"}) == set()
    with sqlite3.connect(file) as database:
        for executor, workflow in (("here:1", "mine"), ("gone:1", "of-the-dead"), ("there:1", "of-another")):
            database.execute(STATUS, (executor, workflow))
    database.close()
    assert engine.strays({"here:1", "there:1"}) == {"mine", "of-the-dead"}
    done.set()
    until(lambda: engine.status("runs") == "SUCCESS")
    for workflow, number in (("mine", 2), ("of-the-dead", 3)):
        engine.forget(workflow)
        engine.enqueue(QUEUE, "work", number, workflow_id=workflow)
        until(lambda workflow=workflow: engine.status(workflow) == "SUCCESS")
    assert begun == [1, 2, 3]
    assert engine.strays({"here:1", "there:1"}) == set()
