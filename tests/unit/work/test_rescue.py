"""A worker whose beats stand still is dead; one that is only slow, or whose database was away, is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qagate.clock import SystemClock
from qagate.errors import StoreError
from qagate.store import workers
from qagate.store.database import Database
from qagate.work.rescue import LOOKS, Neighbourhood, Standstill


@pytest.mark.parametrize(
    ("seen", "dead"),
    [
        ([7] * (LOOKS + 1), True),  # the first look only takes note
        ([7] * LOOKS, False),
        ([1, 2, 3, 4, 5, 6, 7, 8], False),
        ([7, 7, 7, 7, 8, 8, 8, 8], False),  # slow, and alive
        ([8, 8, 8, 1, 1, 1, 1], False),  # started anew under its name
        ([1, *[9] * (LOOKS + 1)], True),
    ],
)
def test_standing_still_is_death(seen: list[int], dead: bool) -> None:
    standstill = Standstill()
    found = [standstill.look({"a": count}) for count in seen]
    assert (found[-1] == ["a"]) is dead


def test_who_is_gone_from_the_list_is_not_counted() -> None:
    standstill = Standstill()
    for _ in range(LOOKS + 1):
        standstill.look({"a": 1})
    assert standstill.look({}) == []
    assert standstill.look({"a": 1}) == []


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'qagate.db'}")
    yield database
    database.close()


def neighbour(
    database: Database,
    name: str,
    rescued: list[str],
    strays: set[str] | None = None,
    forgotten: list[str] | None = None,
) -> Neighbourhood:
    def rescue(dead: str) -> int:
        rescued.append(dead)
        return 1

    def forget(stray: str) -> None:
        assert forgotten is not None
        forgotten.append(stray)
        assert strays is not None
        strays.discard(stray)

    return Neighbourhood(
        database, SystemClock(), name, device="cpu", rescue=rescue,
        strays=lambda alive: set(strays or ()), forget=forget,
    )  # fmt: skip


def test_the_living_continue_what_the_dead_left_once(database: Database) -> None:
    rescued: list[str] = []
    dead, alive, idle = (neighbour(database, name, rescued) for name in ("h:1", "h:2", "h:3"))
    dead.beat()
    for _ in range(LOOKS + 4):
        for one in (alive, idle):
            one.beat()
            one.watch()
    assert rescued == ["h:1"]
    with database.read() as session:
        assert set(workers.beats(session)) == {"h:2", "h:3"}
    dead.beat()  # it was only cut off: it takes its place again
    with database.read() as session:
        assert set(workers.beats(session)) == {"h:1", "h:2", "h:3"}


def test_a_database_that_was_away_kills_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    rescued: list[str] = []
    quiet, alive = neighbour(database, "h:1", rescued), neighbour(database, "h:2", rescued)
    quiet.beat()
    for _ in range(LOOKS):
        alive.watch()
    with monkeypatch.context() as away:
        away.setattr(workers, "beats", lambda _: (_ for _ in ()).throw(StoreError("away")))
        with pytest.raises(StoreError):
            alive.watch()
    alive.watch()
    quiet.beat()
    alive.watch()
    assert rescued == []


def test_what_nobody_runs_is_begun_anew_but_not_what_was_only_slow_to_begin(database: Database) -> None:
    strays, forgotten = {"score:1", "score:2"}, []
    alive = neighbour(database, "h:1", [], strays, forgotten)
    for look in range(LOOKS + 3):
        if look == LOOKS - 1:
            strays.discard("score:2")
        alive.beat()
        alive.watch()
    assert forgotten == ["score:1"]
