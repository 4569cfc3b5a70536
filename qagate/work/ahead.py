"""Ahead: a series that will probably be complete soon is judged during its quiet time: then its verdict is there.

Nothing is written down, and nothing depends on it: when the series turns out to be complete as it was judged, its
journey takes the answer from here, else it is judged again. A worker does this only while nothing else is to be judged,
and only when no other worker might get the journey.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydicom.dataset import Dataset
from sqlalchemy.orm import Session

from qagate.assemble.child import Decoders
from qagate.assemble.series import read_series
from qagate.clock import Clock
from qagate.domain.finding import Finding
from qagate.domain.limit import SiteLimit
from qagate.domain.volume import SeriesVolumes
from qagate.errors import QagateError
from qagate.prompt.rules import Rules
from qagate.report.evidence import essentials
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.store import arrivals, backfills, reception, revisions, workers
from qagate.store import limits as site_limits
from qagate.store.arrivals import SeriesArrival
from qagate.store.database import Database
from qagate.work.assessing import Judged, assess, limits

logger = logging.getLogger(__name__)

MOST_SETTLED = timedelta(seconds=1)
"""A series is judged ahead when nothing of it has come, and its associations have been closed, for so long at most: for
a quarter of the quiet time where that is short."""
MOST_BYTES = 1 << 30
"""Larger series are not judged ahead: their voxels would be kept in memory until they are complete."""


@dataclass(frozen=True, slots=True)
class Question:
    """A series and all that its verdict depends on: equal questions have the same answer."""

    series_instance_uid: str
    calling_ae_title: str
    paths: frozenset[Path]
    remarks: tuple[Finding, ...] = ()
    site_limits: tuple[SiteLimit, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The volumes of a series, and what is said about each; none of them when it is excluded.

    headers: of the images, as far as the documents need them.
    """

    volumes: SeriesVolumes
    judged: tuple[Judged, ...]
    headers: tuple[Dataset, ...] = ()


class Judge:
    """Answers questions, one at a time whoever asks, and keeps the last answer that was prepared."""

    def __init__(self, settings: Settings, rules: Rules, scorer: Scorer, decoders: Decoders) -> None:
        self._settings = settings
        self._rules = rules
        self._scorer = scorer
        self._decoders = decoders
        self._turn = threading.Lock()
        self._kept: tuple[Question, Answer] | None = None

    def answer(self, question: Question) -> Answer:
        """Return the answer: the prepared one, which is then forgotten, or a new one. Raises QagateError."""
        with self._turn:
            if self._kept is not None and self._kept[0] == question:
                (_, answer), self._kept = self._kept, None
                return answer
            return self._judged(question)

    def prepare(self, question: Question) -> None:
        """Work out an answer and keep it, instead of the one that was kept before. Raises QagateError."""
        with self._turn:
            self._kept = None
            self._kept = question, self._judged(question)

    def forget(self, *, but: frozenset[str] = frozenset()) -> None:
        """Drop the prepared answer, unless it is about one of these series."""
        with self._turn:
            if self._kept is not None and self._kept[0].series_instance_uid not in but:
                self._kept = None

    def _judged(self, question: Question) -> Answer:
        read: list[Dataset] = []
        volumes = read_series(sorted(question.paths), limits(self._settings), self._decoders, read)
        if not volumes.volumes:
            return Answer(volumes, ())
        headers = tuple(essentials(header) for header in read)
        read.clear()
        judged = assess(
            volumes,
            self._rules,
            self._scorer,
            self._settings,
            question.calling_ae_title,
            remarks=question.remarks,
            site_limits=question.site_limits,
        )
        return Answer(volumes, tuple(judged), headers)


class Ahead:
    """Looks for a series to judge ahead, in a thread of its own from `start` to `stop`.

    mark: a file that names the series while it is judged. Should that end the worker, the series is left to its
    journey, which counts such ends.
    """

    def __init__(
        self, settings: Settings, database: Database, clock: Clock, judge: Judge, *, executor_id: str, mark: Path
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._judge = judge
        self._executor_id = executor_id
        self._mark = mark
        self._tried: dict[str, int] = {}
        self._deadly = ""
        with contextlib.suppress(OSError):
            self._deadly = mark.read_text(encoding="utf-8")
        self._stop = threading.Event()
        self._settled = min(MOST_SETTLED, timedelta(seconds=settings.completion.quiet_seconds) / 4)

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="ahead", daemon=True).start()

    def stop(self) -> None:
        """Look no more; what is being judged may end."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(max(0.1, self._settled.total_seconds() / 2)):
            try:
                self.look()
            except QagateError as error:
                logger.debug("nothing is judged ahead: %s", error)  # what is wrong is said by those who must do it
            except Exception:
                logger.exception("a series could not be judged ahead; its journey tries again")

    def look(self) -> None:
        """Judge the series ahead that will be complete first, if there is one. Raises QagateError."""
        with self._database.read() as session:
            coming = arrivals.every(session)
            received = frozenset(arrival.series_instance_uid for arrival in coming)
            self._tried = {uid: n for uid, n in self._tried.items() if uid in received}
            if revisions.queued(session):
                return
            question = self._question(session, coming)
        self._judge.forget(but=received)
        if question is None:
            return
        try:
            with contextlib.suppress(OSError):
                self._mark.write_text(question.series_instance_uid, encoding="utf-8")
            self._judge.prepare(question)
        finally:
            with contextlib.suppress(OSError):
                self._mark.unlink()

    def _question(self, session: Session, coming: tuple[SeriesArrival, ...]) -> Question | None:
        if any(row.executor_id != self._executor_id for row in workers.every(session)):
            return None
        now = self._clock.now()
        fetched = backfills.being_fetched(session, now=now)
        settled = [
            (arrival.last_closed_at, arrival)
            for arrival in coming
            if arrival.open_associations == 0
            and arrival.last_closed_at is not None
            and not arrival.aborted
            and now - max(arrival.last_closed_at, arrival.last_instance_at) >= self._settled
            and self._tried.get(arrival.series_instance_uid) != arrival.instances
            and arrival.series_instance_uid != self._deadly
            and arrival.series_instance_uid not in fetched
        ]
        if not settled:
            return None
        _, first = min(settled, key=lambda one: one[0])
        uid = first.series_instance_uid
        self._tried[uid] = first.instances
        paths = frozenset(reception.all_paths(session, uid))
        with contextlib.suppress(FileNotFoundError):
            if sum(path.stat().st_size for path in paths) <= MOST_BYTES:
                return Question(
                    uid, reception.source_of(session, uid), paths, site_limits=tuple(site_limits.standing(session))
                )
        return None
