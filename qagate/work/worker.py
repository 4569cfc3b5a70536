"""The work process: judges complete series and delivers what was written."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from pathlib import Path
from types import TracebackType

from qagate.assemble.child import Decoders
from qagate.clock import Clock, SystemClock
from qagate.errors import StoreError
from qagate.prompt.rules import load_rules
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.store.events import event
from qagate.work.delivering import Courier
from qagate.work.pipeline import Pipeline
from qagate.work.queues import Engine
from qagate.work.rescue import Neighbourhood
from qagate.work.sweeps import DELIVER, SCORE, Sweeps

logger = logging.getLogger(__name__)


def ready_file(settings: Settings, name: str) -> Path:
    """Return the file that stands in the data folder while the worker of this name takes work."""
    return settings.storage.data_dir / f"{name}.ready"


class Worker:
    """One worker over an open database; use as a context manager. It is ready when `__enter__` returns.

    Raises StoreError when the database goes away before that.
    """

    def __init__(
        self, settings: Settings, database: Database, *, name: str = "worker-1", clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self.database = database
        self._clock = clock
        self._name = f"{socket.gethostname()}:{name}"
        executor_id = self._name
        self.engine = Engine(settings.database_url, executor_id=executor_id, queues=(SCORE, DELIVER))
        scorer = Scorer.load(settings.model.folder, settings.model.device, settings.model.threads)
        rules = load_rules(settings.model.rules_file)
        self.decoders = Decoders()
        pipeline = Pipeline(settings, self.database, clock, rules, scorer, self.decoders)
        courier = Courier(settings, self.database, clock)
        engine = self.engine

        def journey(revision_id: int) -> None:
            engine.step("judge", pipeline.journey, revision_id)

        def carry(revision_id: int, destination: str) -> None:
            engine.step("carry", courier.carry, revision_id, destination)

        engine.workflow("journey", journey)
        engine.workflow("carry", carry)
        self._ready = ready_file(settings, name)
        self._ready.unlink(missing_ok=True)
        self._neighbourhood = Neighbourhood(
            database, clock, executor_id, device=str(scorer.device), rescue=engine.rescue
        )
        self.scheduler = Sweeps(settings, self.database, engine, clock).schedule(self._neighbourhood)
        logger.info("model %s %s on %s", scorer.identity.name, scorer.identity.version, scorer.device)

    def __enter__(self) -> Worker:
        self._neighbourhood.beat()  # known to the others before it begins anything: they must notice its death
        self.engine.start()
        self._note("started")
        self.scheduler.start()
        self._ready.write_text(f"{os.getpid()}\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ready.unlink(missing_ok=True)
        self.scheduler.shutdown(wait=False)
        self.engine.stop()
        self.decoders.close()
        with contextlib.suppress(StoreError):
            self._note("stopped")

    def _note(self, what: str) -> None:
        with self.database.begin() as session:
            event(session, self._clock.now(), what, detail=f"qagate work {self._name}")
