"""Queues of the durable engine: what goes first, who takes what, and what a version leaves that nobody has any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from qagate.store.database import SERVER_PATIENCE
from qagate.work import queues
from qagate.work.queues import AFTERWARDS, SCANNERS, URGENT, Engine, Queue, system_database_url
from tests.peers import postgres

ONE, OTHER = Queue("one"), Queue("other")


@contextmanager
def started(
    folder: Path, work: Callable[[str], None], *, takes: tuple[Queue, ...] = (ONE,), url: str = ""
) -> Iterator[Engine]:
    url = url or f"sqlite:///{folder / 'q.db'}"
    engine = Engine(url, executor_id="host:w", queues=(ONE, OTHER), takes=takes)
    engine.workflow("work", lambda what: engine.step("do", work, what))
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'q.db'}"
        return
    if not postgres.available():
        pytest.skip("PostgreSQL is not installed, or root has no user to start it as")
    with postgres.Postgres() as server:
        yield server.url


def test_what_cannot_wait_goes_first_then_scanners_then_what_is_judged_afterwards(tmp_path: Path, url: str) -> None:
    done: list[str] = []
    go = threading.Event()

    def work(what: str) -> None:
        if what == "first":
            go.wait(60)
        done.append(what)

    with started(tmp_path, work, url=url) as engine:
        engine.enqueue(ONE, "work", "first", workflow_id="first", priority=AFTERWARDS)
        wait(lambda: engine.status("first") == "PENDING")
        for priority, what in (
            (AFTERWARDS, "old 1"),
            (SCANNERS, "new 1"),
            (AFTERWARDS, "old 2"),
            (URGENT, "stat 1"),
            (SCANNERS, "new 2"),
            (URGENT, "stat 2"),
            (None, "none"),
        ):
            engine.enqueue(ONE, "work", what, workflow_id=what, priority=priority)
        go.set()
        wait(lambda: len(done) == 8)
    assert done == ["first", "none", "stat 1", "stat 2", "new 1", "new 2", "old 1", "old 2"]


def test_what_was_put_back_keeps_its_place(tmp_path: Path, url: str) -> None:
    done: list[str] = []
    with started(tmp_path, done.append, takes=(OTHER,), url=url) as engine:  # nobody takes from the queue yet
        for priority, what in ((AFTERWARDS, "old"), (SCANNERS, "new"), (URGENT, "stat")):
            engine.enqueue(ONE, "work", what, workflow_id=what, priority=priority)
    with started(tmp_path, done.append, url=url) as engine:
        wait(lambda: len(done) == 3)
    assert done == ["stat", "new", "old"]


def test_a_process_takes_only_from_its_queues_and_writes_for_all(tmp_path: Path) -> None:
    done: list[str] = []
    with started(tmp_path, done.append, takes=(OTHER,)) as engine:
        engine.enqueue(ONE, "work", "not ours", workflow_id="a")
        engine.enqueue(OTHER, "work", "ours", workflow_id="b")
        wait(lambda: engine.status("b") == "SUCCESS")
        assert engine.status("a") == "ENQUEUED"
    assert done == ["ours"]
    with started(tmp_path, done.append, takes=(ONE,)) as engine:
        wait(lambda: engine.status("a") == "SUCCESS")
    assert done == ["ours", "not ours"]


def test_what_an_old_version_left_is_taken_over_once_nobody_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    with monkeypatch.context() as before:
        before.setattr(queues, "APPLICATION_VERSION", "qagate-0")
        with started(tmp_path, done.append, takes=(OTHER,)) as old:
            old.enqueue(ONE, "work", "left", workflow_id="a")
    with started(tmp_path, done.append) as engine:
        assert engine.forget_strays({"qagate-0", "qagate-1"}) == 0  # an old worker may still take it
        assert engine.status("a") == "ENQUEUED"
        assert engine.forget_strays({"qagate-1"}) == 1
        assert engine.status("a") is None  # the sweeps find what it was about unfinished, and write it down anew
        engine.enqueue(ONE, "work", "left", workflow_id="a")
        wait(lambda: engine.status("a") == "SUCCESS")
        assert engine.forget_strays({"qagate-1"}) == 0
    assert done == ["left"]


def test_the_engine_has_as_much_patience_with_a_server_as_we_have():
    asked = make_url(system_database_url("postgresql+psycopg://qagate:secret@db/qagate?keepalives_idle=3"))
    assert asked.password == "secret"
    assert dict(asked.query) == {name: str(value) for name, value in SERVER_PATIENCE.items()} | {"keepalives_idle": "3"}
