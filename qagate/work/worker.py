"""The work process: judges complete series and delivers what was written."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from qagate.assemble.child import Decoders
from qagate.clock import Clock, SystemClock
from qagate.errors import ScoringError, SettingsError, StoreError
from qagate.prompt.rules import load_rules
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.store.events import event
from qagate.work.ahead import Ahead, Judge
from qagate.work.delivering import Courier
from qagate.work.pipeline import Pipeline
from qagate.work.queues import APPLICATION_VERSION, Engine, Queue
from qagate.work.rescue import Neighbourhood
from qagate.work.steady import Steady
from qagate.work.sweeps import QUEUES, SCORE, Sweeps, soon

logger = logging.getLogger(__name__)


def ready_file(settings: Settings, name: str) -> Path:
    """Return the file that stands in the data folder while the worker of this name takes work."""
    return settings.storage.data_dir / f"{name}.ready"


class Worker:
    """One worker over an open database; use as a context manager. It is ready when `__enter__` returns.

    queues: names of those it takes work from; None is all that this machine has the hardware for: where settings say
    that the network needs a GPU and none is here, it does not judge. Raises StoreError when the database goes away
    before it is ready, SettingsError for a queue that there is not, ScoringError when it shall judge and cannot.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        name: str = "worker-1",
        queues: Sequence[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.database = database
        self._clock = clock
        self._name = f"{socket.gethostname()}:{name}"
        executor_id = self._name
        takes = queues_named(queues) if queues is not None else QUEUES
        scorer, takes = _scorer(settings, takes, asked=queues is not None)
        self.engine = engine = Engine(settings.database_url, executor_id=executor_id, queues=QUEUES, takes=takes)
        self.decoders = Decoders()
        pipeline: Pipeline | None = None
        self._ahead: Ahead | None = None
        if scorer is not None:
            rules = load_rules(settings.model.rules_file)
            judge = Judge(settings, rules, scorer, self.decoders)
            pipeline = Pipeline(settings, self.database, clock, judge)
            if settings.completion.ahead:
                mark = settings.storage.data_dir / f"{name}.ahead"
                self._ahead = Ahead(settings, self.database, clock, judge, executor_id=executor_id, mark=mark)
            logger.info("model %s %s on %s", scorer.identity.name, scorer.identity.version, scorer.device)
        courier = Courier(settings, self.database, clock)

        def journey(revision_id: int) -> None:
            assert pipeline is not None, "a worker that does not judge takes nothing from this queue"
            engine.step("judge", pipeline.journey, revision_id)
            soon(self.scheduler, "deliver")

        def carry(revision_id: int, destination: str) -> None:
            engine.step("carry", courier.carry, revision_id, destination)

        engine.workflow("journey", journey)
        engine.workflow("carry", carry)
        self._ready = ready_file(settings, name)
        self._ready.unlink(missing_ok=True)
        self._neighbourhood = Neighbourhood(
            database,
            clock,
            executor_id,
            device="" if scorer is None else str(scorer.device),
            rescue=engine.rescue,
            queues=" ".join(queue.name for queue in takes),
            version=APPLICATION_VERSION,
            strays=engine.strays,
            forget=engine.forget,
        )
        self.scheduler = Sweeps(settings, self.database, engine, clock).schedule(self._neighbourhood)
        self._steady = Steady(self.scheduler, clock)

    def __enter__(self) -> Worker:
        self._neighbourhood.beat()  # known to the others before it begins anything: they must notice its death
        self.engine.start()
        self._note("started")
        self.scheduler.start()
        self._steady.start()
        if self._ahead is not None:
            self._ahead.start()
        self._ready.write_text(f"{os.getpid()}\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ready.unlink(missing_ok=True)
        self._steady.stop()
        if self._ahead is not None:
            self._ahead.stop()
        self.scheduler.shutdown(wait=False)
        self.engine.stop()
        self.decoders.close()
        with contextlib.suppress(StoreError):
            self._note("stopped")

    def _note(self, what: str) -> None:
        with self.database.begin() as session:
            event(session, self._clock.now(), what, detail=f"qagate work {self._name}")


def queues_named(names: Sequence[str]) -> tuple[Queue, ...]:
    """Return the queues of these names. Raises SettingsError."""
    known = {queue.name: queue for queue in QUEUES}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise SettingsError(f"queues are {' and '.join(known)}, got {', '.join(unknown) or 'none'}")
    return tuple(known[name] for name in dict.fromkeys(names))


def _scorer(settings: Settings, takes: tuple[Queue, ...], *, asked: bool) -> tuple[Scorer | None, tuple[Queue, ...]]:
    """Return the network for this worker and the queues it takes, by what it has the hardware for.

    asked: somebody named the queues; then a missing device is an error.
    """
    if SCORE not in takes:
        return None, takes
    try:
        return Scorer.load(settings.model.folder, settings.model.device, settings.model.threads), takes
    except ScoringError as error:
        if asked:
            raise
        logger.warning("this worker does not judge, and takes everything else: %s", error)
        return None, tuple(queue for queue in takes if queue is not SCORE)
