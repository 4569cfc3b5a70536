"""What is periodic. Every sweep may run twice, or in two processes at once, without harm."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from qagate.clock import Clock
from qagate.domain.backfill import SIGNAL
from qagate.domain.holding import is_urgent
from qagate.domain.obstacle import Obstacle
from qagate.errors import QagateError
from qagate.settings import Settings
from qagate.store import arrivals, outbox, reception, revisions, workers
from qagate.store.database import Database
from qagate.store.outbox import Parcel
from qagate.store.tables import RevisionRow
from qagate.work.alerting import Alerting
from qagate.work.arrival import arrival_of
from qagate.work.auditing import Auditing
from qagate.work.committing import Commitments
from qagate.work.completing import Completing, Waiting
from qagate.work.noting import Notes
from qagate.work.pruning import Pruning
from qagate.work.queues import AFTERWARDS, SCANNERS, URGENT, Engine, Queue
from qagate.work.reconciling import Reconciling
from qagate.work.rescue import BEAT_SECONDS, Neighbourhood
from qagate.work.retention import Retention
from qagate.work.stranding import Stranding

logger = logging.getLogger(__name__)

SCORE = Queue("score", worker_concurrency=1)
DELIVER = Queue("deliver", worker_concurrency=8, lanes=True)
QUEUES = (SCORE, DELIVER)

GIVEN_UP = ("MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED")
"""What the engine says of a workflow that it does not try again."""

ENDED = ("SUCCESS", "ERROR")
"""What it says of one that came to its end."""

WORKFLOW_RECORDS_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Sweeps:
    """The periodic duties of a worker."""

    settings: Settings
    database: Database
    engine: Engine
    clock: Clock

    completing: Completing = field(init=False)

    def __post_init__(self) -> None:
        """Make what decides about completeness."""
        object.__setattr__(self, "completing", Completing(self.settings, self.database, self.clock))

    def complete(self) -> None:
        """Close every series that is complete, and enqueue its revision."""
        for item in self.completing.waiting():
            try:
                self._complete_one(item)
            except QagateError:
                raise
            except Exception:  # a fault with one series must not keep the others from their verdicts
                logger.exception("whether series %s is complete is not known", item.arrival.series_instance_uid)

    def _complete_one(self, item: Waiting) -> None:
        uid, decision = item.arrival.series_instance_uid, item.decision
        if decision.restamp_at is not None:
            with self.database.begin() as session:
                arrivals.restamp(session, uid, at=decision.restamp_at)
            logger.warning("the clock stepped back; quiet times start anew")
        if not decision.complete:
            return
        with self.database.begin() as session:
            revision = revisions.close_series(
                session,
                uid,
                completed_by=decision.signal,
                at=self.clock.now(),
                expected=decision.expected,
                expected_by=item.expected_by if decision.expected is not None else "",
                missing=decision.missing,
            )
        if revision is not None:
            self._enqueue(revision)

    def take_afterwards(self) -> None:
        """Enqueue what a backfill has fetched; what is enqueued already stays as it is."""
        with self.database.read() as session:
            fetched = [one for one in revisions.queued(session) if one.completed_by == SIGNAL]
        for revision in fetched:
            self._enqueue(revision)

    def resume(self) -> None:
        """Look after work whose workflow is not there, ended without doing it, or is of a version nobody has."""
        with self.database.read() as session:
            versions = workers.versions(session)
        if strays := self.engine.forget_strays(versions):
            logger.warning("%d pieces of work of another version of qagate are taken over", strays)
        self._resume_journeys()
        self._resume_deliveries()

    def _resume_journeys(self) -> None:
        """Enqueue revisions whose workflow was never written down, and park those whose workflow was given up."""
        with self.database.read() as session:
            unfinished = revisions.queued(session)
        for revision in unfinished:
            status = self.engine.status(revisions.workflow_id(revision))
            if status is None:
                self._enqueue(revision)
            elif status in ENDED:
                with self.database.begin() as session:
                    if revisions.get(session, revision.id)[0].state not in revisions.UNFINISHED:
                        continue  # it ended in the meantime
                # What cannot be judged is parked by the journey itself: the fault was outside of the series (a database
                # or a disk that was away for longer than a step is tried), or the database is older than the queue.
                logger.warning("series %s is judged again (%s)", revision.series_instance_uid, status)
                self.engine.forget(revisions.workflow_id(revision))
                self._enqueue(revision)
            elif status in GIVEN_UP:
                with self.database.begin() as session:
                    revisions.fail(
                        session,
                        revision.id,
                        reason=f"judging it ended its worker again and again ({status.lower()}); it was set aside",
                        at=self.clock.now(),
                    )
                self.engine.forget(revisions.workflow_id(revision))  # so that a person can have it judged again
                logger.error("series %s was set aside (%s)", revision.series_instance_uid, status)

    def _resume_deliveries(self) -> None:
        """Count a try whose workflow ended without a word as failed, so that the next try gets an id of its own.

        It is not parked: what ended the worker may have been a series that was judged beside it.
        """
        now = self.clock.now()
        with self.database.read() as session:
            parcels = outbox.due(session, now)
        tries = {d.name: d.max_attempts for d in self.settings.destinations}
        for parcel in parcels:
            status = self.engine.status(parcel.workflow_id)
            if status not in (*ENDED, *GIVEN_UP):
                continue
            with self.database.begin() as session:
                if parcel not in outbox.due(session, now):
                    continue  # it ended in the meantime
                outbox.failed(
                    session,
                    [item.delivery_id for item in outbox.contents(session, parcel.revision_id, parcel.destination)],
                    obstacle=Obstacle.NOT_NOW,
                    detail=f"the try ended without a result ({status.lower()})",
                    max_attempts=tries.get(parcel.destination, 1),
                    at=now,
                )
            logger.error("%s: try %d ended without a result (%s)", parcel.destination, parcel.attempt, status)

    def deliver(self) -> None:
        """Enqueue every delivery that is due."""
        with self.database.read() as session:
            parcels = outbox.due(session, self.clock.now())
        for parcel in parcels:
            self._send(parcel)

    def forget(self) -> None:
        """Delete the engine's records of work that ended long ago."""
        self.engine.forget_finished(before_iso=(self.clock.now() - WORKFLOW_RECORDS_KEPT).isoformat())

    def _enqueue(self, revision: RevisionRow) -> None:
        self.engine.enqueue(
            SCORE,
            "journey",
            revision.id,
            workflow_id=revisions.workflow_id(revision),
            priority=AFTERWARDS if revision.completed_by == SIGNAL else URGENT if self._urgent(revision) else SCANNERS,
        )

    def _urgent(self, revision: RevisionRow) -> bool:
        """Return whether an image of the series says that it cannot wait; what cannot be read says nothing."""
        with self.database.read() as session:
            _, series = revisions.get(session, revision.id)
            paths = reception.spool_paths(session, series.series_instance_uid, revision.number)
        try:
            said = arrival_of(
                paths[0], sop_class_uid="", modality=series.modality, calling_ae_title=series.calling_ae_title
            )
            return is_urgent(said, self.settings.holding)
        except Exception as error:  # whatever stands in it: the series is judged all the same
            logger.debug("whether series %s is urgent cannot be read: %s", series.series_instance_uid, error)
            return False

    def _send(self, parcel: Parcel) -> None:
        self.engine.enqueue(
            DELIVER,
            "carry",
            parcel.revision_id,
            parcel.destination,
            workflow_id=parcel.workflow_id,
            lane=parcel.destination,
        )

    def schedule(self, neighbourhood: Neighbourhood) -> BackgroundScheduler:
        """Return a scheduler that runs all of this, not yet started."""
        commitments = Commitments(self.settings, self.database, self.clock)
        notes = Notes(self.settings, self.database, self.clock)
        retention = Retention(self.settings, self.database, self.clock)
        here: tuple[tuple[Callable[[], object], float], ...] = (
            (self.complete, 0.5),
            (self.deliver, 0.5),
            (self.take_afterwards, 1),
            (self.completing.take_up, 5),
            (notes.write, 5),
            (self.resume, 10),
            (Stranding(self.settings, self.database, self.clock).sweep, 15),
            (retention.watch_disk, 60),
            (self.forget, 3600),
        )
        outside: tuple[tuple[Callable[[], object], float], ...] = (
            (commitments.ask, 2),
            (self.completing.inquire, 1),
            (Auditing(self.settings, self.database, self.clock).sweep, 5),
            (Alerting(self.settings, self.database, self.clock).watch, 20),
            (Reconciling(self.settings, self.database, self.clock).sweep, 300),
            (retention.sweep, 600),
            (Pruning(self.settings, self.database, self.clock).sweep, 600),
        )
        scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={
                "default": ThreadPoolExecutor(4),
                # a thread for each: archives, mail and log servers that do not answer must not stop what judges
                "outside": ThreadPoolExecutor(len(outside)),
                # and one of their own for beats: a busy node must not look dead
                "beats": ThreadPoolExecutor(1),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30},
        )
        for executor, duties in (("default", here), ("outside", outside)):
            for duty, seconds in duties:
                scheduler.add_job(_guarded(duty), "interval", seconds=seconds, name=duty.__name__, executor=executor)
        for duty in (neighbourhood.beat, neighbourhood.watch):
            scheduler.add_job(_guarded(duty), "interval", seconds=BEAT_SECONDS, name=duty.__name__, executor="beats")
        return scheduler


def soon(scheduler: BackgroundScheduler, name: str) -> None:
    """Let a duty run now instead of at its next time; what another thread stops meanwhile stays stopped."""
    for job in scheduler.get_jobs():
        if job.name == name:
            with contextlib.suppress(JobLookupError):
                job.modify(next_run_time=datetime.now(UTC))


def _guarded(duty: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            duty()
        except QagateError as error:
            logger.error("%s: %s; it is tried again", duty.__name__, error)
        except Exception:
            logger.exception("%s failed; it is tried again", duty.__name__)

    return run
