"""Durable workflows. The only file that knows DBOS.

A workflow is a function that is run to its end however often the process dies: `enqueue` writes it down under an id
(the same id again is the same workflow), and a process that starts again goes on with what it had left. A workflow
that kills its process three times is given up; the sweep in `work/sweeps.py` then parks what it was about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import dataclass

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import create_engine, make_url, text

from qagate.errors import QagateError, StoreError
from qagate.store.database import SERVER_PATIENCE

APPLICATION_VERSION = "qagate-1"
"""The engine lets a workflow be taken only by the version that wrote it down. Set by hand, and counted up when what a
workflow is given, or the order of its steps, changes; not with each release: workers of two releases of one version
share their work. What a version leaves that no worker has any more is written down anew (`Engine.forget_strays`)."""

URGENT, SCANNERS, AFTERWARDS = 1, 5, 10
"""Priorities: what cannot wait, what scanners send, and what is judged afterwards; the lower number goes first."""

MAX_DEATHS = 3
"""A workflow that was running when its process died is tried again this often."""

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Queue:
    """One kind of work. worker_concurrency: at one time in one process; lanes: one at a time for each partition key."""

    name: str
    worker_concurrency: int = 1
    lanes: bool = False


class Engine:
    """The durable engine of one process.

    Register all workflows, then `start()`. `executor_id` names the process: what it left unfinished is continued by the
    next process of that name, or by whoever calls `rescue` with it. queues: all there are, and takes: those this
    process takes work from (all when absent); it can write work down for every one.
    """

    def __init__(
        self, database_url: str, *, executor_id: str, queues: Sequence[Queue], takes: Sequence[Queue] | None = None
    ) -> None:
        self._queues = tuple(queues)
        self._takes = self._queues if takes is None else tuple(takes)
        self._executor_id = executor_id
        self._running: set[str] = set()
        self._workflows: dict[str, Callable[..., None]] = {}
        self._url = system_database_url(database_url)
        _prepare(self._url)
        config: DBOSConfig = {
            "name": "qagate",
            "system_database_url": self._url,
            "application_version": APPLICATION_VERSION,
            "executor_id": executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 1.0,
        }
        DBOS(config=config)

    def workflow(self, name: str, function: Callable[..., None]) -> None:
        """Register a workflow; its arguments must be plain JSON values."""

        def run(*arguments: str | int) -> None:
            identifier = str(DBOS.workflow_id)
            self._running.add(identifier)
            try:
                function(*arguments)
            finally:
                self._running.discard(identifier)

        self._workflows[name] = DBOS.workflow(name=name, max_recovery_attempts=MAX_DEATHS)(run)

    def rescue(self, executor_id: str) -> int:
        """Put back what another process had begun, for any process to take; returns how much. May be repeated."""
        return len(DBOS._recover_pending_workflows([executor_id]))

    def strays(self, alive: Container[str]) -> set[str]:
        """Return what counts as begun and is run by nobody: neither here nor by another process that lives.

        Such a one is not continued by itself: its process took it off the queue, and a fault of the database kept it
        from beginning; or the process is gone, and putting its work back failed. alive: executor ids. What is taken off
        the queue this moment may be among them. Raises StoreError.
        """
        try:
            begun = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        except Exception as error:  # whatever its driver raises
            raise StoreError(f"the work queue cannot be read, got {type(error).__name__}") from error
        return {
            one.workflow_id
            for one in begun
            if one.workflow_id not in self._running
            and (one.executor_id == self._executor_id or one.executor_id not in alive)
        }

    def start(self) -> None:
        """Continue what was left unfinished and begin to take from the queues. Raises StoreError."""
        DBOS.listen_queues([queue.name for queue in self._takes])
        try:
            DBOS.launch()
        except Exception as error:  # whatever its driver raises
            raise StoreError(f"the work queue cannot be used, got {type(error).__name__}") from error
        for queue in self._queues:
            DBOS.register_queue(
                queue.name,
                worker_concurrency=queue.worker_concurrency,
                partition_concurrency=1 if queue.lanes else None,
                polling_interval_sec=POLL_SECONDS,
                on_conflict="always_update",
            )

    def stop(self) -> None:
        """Stop taking work; what runs may end within a few seconds."""
        DBOS.destroy(workflow_completion_timeout_sec=5)

    def enqueue(
        self,
        queue: Queue,
        workflow: str,
        *arguments: str | int,
        workflow_id: str,
        lane: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Write a workflow down; nothing happens when one with this id exists already.

        priority: what has none goes first, then the lower number (1-based).
        """
        with SetWorkflowID(workflow_id), SetEnqueueOptions(queue_partition_key=lane, priority=priority):
            DBOS.enqueue_workflow(queue.name, self._workflows[workflow], *arguments)

    def step(self, name: str, function: Callable[..., None], *arguments: str | int) -> None:
        """Run one step inside a workflow; once it has ended it is not run again.

        An error that says a retry may help is tried again after 1, 2, 4, ... s, for about two minutes in all.
        """
        DBOS.run_step(
            {
                "name": name,
                "retries_allowed": True,
                "max_attempts": 8,
                "interval_seconds": 1.0,
                "backoff_rate": 2.0,
                "should_retry": lambda error: isinstance(error, QagateError) and error.retryable,
            },
            function,
            *arguments,
        )

    def status(self, workflow_id: str) -> str | None:
        """Return how a workflow is: "ENQUEUED", "PENDING", "SUCCESS", "ERROR", ...; None when there is none."""
        status = DBOS.get_workflow_status(workflow_id)
        return status.status if status is not None else None

    def forget_strays(self, versions: Collection[str]) -> int:
        """Delete the records of what waits or was running under a version that no worker has; returns how many.

        versions: those that workers have. The sweeps find what it was about unfinished, and write it down anew under
        this process's version. Safe while such a worker lives after all: every journey and every delivery may be done
        twice.
        """
        ended = [v["version_name"] for v in DBOS.list_application_versions()]
        ended = [name for name in ended if name not in versions and name != APPLICATION_VERSION]
        if not ended:
            return 0
        left = DBOS.list_workflows(
            app_version=ended, status=["ENQUEUED", "PENDING"], load_input=False, load_output=False, limit=1000
        )
        DBOS.delete_workflows([workflow.workflow_id for workflow in left])
        return len(left)

    def forget(self, workflow_id: str) -> None:
        """Delete the record of a workflow that ended, so that its id can be used again."""
        DBOS.delete_workflows([workflow_id])

    def forget_finished(self, *, before_iso: str) -> int:
        """Delete the records of workflows that ended before a time (ISO 8601, UTC); returns how many."""
        done = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            end_time=before_iso,
            load_input=False,
            load_output=False,
            limit=1000,
        )
        DBOS.delete_workflows([workflow.workflow_id for workflow in done])
        return len(done)


def system_database_url(database_url: str) -> str:
    """Return where the engine keeps its own tables: a file beside SQLite's, a schema of its own in PostgreSQL.

    It has as much patience with a server as we have.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{str(url.database).removesuffix('.db')}-work.db"
    patience = {name: str(value) for name, value in SERVER_PATIENCE.items() if name not in url.query}
    return url.update_query_dict(patience).render_as_string(hide_password=False)


def _prepare(url: str) -> None:
    # The engine opens SQLite in rollback-journal mode; write-ahead mode is kept in the file once it is set.
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                connection.execute(text("PRAGMA journal_mode=WAL"))
        except Exception as error:
            raise StoreError(f"the file of the work queue cannot be used: {error}") from error
        finally:
            engine.dispose()


logging.getLogger("dbos").setLevel(logging.WARNING)
