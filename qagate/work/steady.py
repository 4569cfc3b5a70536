"""What is periodic goes on when the clock steps back.

The scheduler notes the time of day of each job's next run and waits for it. After a step back of an hour that would be
an hour in which no series is judged, nothing is delivered and no worker gives a sign of life. So it is looked whether
a job's next run is further away than its interval; then everything is due at once.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.base import BaseScheduler

from qagate.clock import Clock

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
STEP_SECONDS = 1.0
"""A smaller step delays nothing by more than itself."""


class Steady:
    """Watches a scheduler of jobs at intervals, in a thread of its own, from `start` to `stop`."""

    def __init__(self, scheduler: BaseScheduler, clock: Clock) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steady", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def look(self) -> float:
        """Make everything due if a job waits for longer than its interval; returns by how many seconds, or 0."""
        now = self._clock.now()
        jobs = self._scheduler.get_jobs()
        step = max(((job.next_run_time - now - job.trigger.interval).total_seconds() for job in jobs), default=0.0)
        if step < STEP_SECONDS:
            return 0.0
        logger.warning("the clock stepped back by %.0f s; what is periodic goes on at once", step)
        for job in jobs:
            with suppress(JobLookupError):
                job.modify(next_run_time=now)
        return step

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # the top of this thread
                logger.exception("the clock could not be watched; it is tried again")
