"""Scenarios: what can go wrong, one thing at a time, each with its name, its stage and its end in the ledger."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.crash import clock
from tests.crash.ledger import Ledger
from tests.crash.stage import Setup, Stage
from tests.peers import postgres

SQLITE, POSTGRESQL = ("sqlite",), ("postgresql",)
BOTH = (*SQLITE, *POSTGRESQL)

NEEDS: dict[str, Callable[[], bool]] = {
    "the right to mount": lambda: os.getuid() == 0,
    "a C compiler": clock.available,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that goes wrong. fast: a few seconds, and told by every test run."""

    name: str
    sentence: str
    setup: Setup
    play: Callable[[Stage], None]
    databases: tuple[str, ...]
    fast: bool

    @property
    def missing(self) -> str:
        """What it needs and is not here; empty when it can be played."""
        wanted = ["the right to mount"] if self.setup.disks else []
        wanted += ["a C compiler"] if self.setup.own_clock else []
        return ", ".join(need for need in wanted if not NEEDS[need]())


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    name: str, sentence: str, setup: Setup, *, databases: tuple[str, ...] = SQLITE, fast: bool = False
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Put a function on the list of scenarios. databases: BOTH where the kind of database may matter."""

    def put(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        assert name not in SCENARIOS, name
        SCENARIOS[name] = Scenario(name, sentence, setup, play, databases, fast)
        return play

    return put


def known() -> tuple[Scenario, ...]:
    """Return all scenarios; those on one stage stand together."""
    from tests.crash import scenarios

    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    order = list(dict.fromkeys(one.setup.name for one in SCENARIOS.values()))
    return tuple(sorted(SCENARIOS.values(), key=lambda one: order.index(one.setup.name)))


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one scenario: what did not go as it should, and what the ledger says of it."""

    name: str
    seconds: float
    unaccounted: tuple[str, ...]
    accounted: tuple[str, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """All of that; empty when it went well."""
        return (*self.unaccounted, *self.accounted)


@dataclass(slots=True)
class Theatre:
    """Plays scenarios on one kind of database, and adds up their ledgers; use as a context manager.

    A stage is kept while the next scenario wants the same, and left at once when something went wrong on it.
    """

    folder: Path
    kind: str
    ledger: Ledger = field(default_factory=Ledger)
    deaths: int = 0
    _stage: Stage | None = None
    _stages: int = 0

    def __enter__(self) -> Theatre:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last stage."""
        self.leave()

    def play(self, one: Scenario) -> Played:
        """Play one scenario, let everything come to its end, and account for it."""
        begun = time.monotonic()
        faults: tuple[str, ...] = ()
        accounted: tuple[str, ...] = ()
        try:
            stage = self._on(one.setup)
            one.play(stage)
            stage.settle()
            accounted = tuple(stage.account().faults)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            faults = (f"{type(error).__name__} in line {where.lineno} ({where.line}): {str(error)[:6000]}",)
        if faults or accounted or one.setup.own:
            self.leave()
        return Played(one.name, time.monotonic() - begun, faults, accounted)

    def _on(self, setup: Setup) -> Stage:
        if self._stage is not None and self._stage.setup.name != setup.name:
            self.leave()
        if self._stage is None:
            self._stages += 1
            stage = Stage(self.folder / f"{self._stages}-{setup.name}", setup, self.kind)
            self._stage = stage.__enter__()
        return self._stage

    def leave(self) -> None:
        """Leave the stage, and put its ledger to the others."""
        stage, self._stage = self._stage, None
        if stage is None:
            return
        try:
            self.ledger += stage.account()
            self.deaths += sum(stage.node.deaths.values())
        except Exception as error:
            self.ledger.stuck.append(f"{stage.setup.name} could not be accounted for: {error}")
        finally:
            stage.__exit__(None, None, None)


def play_all(kind: str, chosen: Sequence[Scenario], theatre: Theatre) -> Iterator[Played]:
    """Play what can be played on one kind of database, and say each as it ends."""
    if kind == "postgresql" and not postgres.available():
        return
    with theatre:
        for one in chosen:
            if kind not in one.databases:
                continue
            if one.missing:
                sys.stdout.write(f"  not played  {one.name}: needs {one.missing}\n")
                continue
            played = theatre.play(one)
            words = "\n    ".join(played.faults) if played.faults else "well"
            sys.stdout.write(f"  {played.seconds:5.0f} s  {kind}  {one.name}: {words}\n")
            sys.stdout.flush()
            yield played
