"""Backfilling: an existing archive, series by series, through the same judges as what scanners send.

One series after the other is fetched, closed as complete, and left to the workers, who take it when no scanner's series
waits. Everything that was done stands in the database, so that a process that was killed goes on where it was: what it
had half fetched is fetched again, which changes nothing about what came already.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo

from qagate.clock import Clock
from qagate.deliver.archive import Archive
from qagate.deliver.destination import echo
from qagate.domain.backfill import Progress, Query, Window
from qagate.domain.series import StoredInstance
from qagate.errors import DeliveryError, QagateError, SpoolError
from qagate.settings import Destination, Settings
from qagate.store import backfills, completion, reception
from qagate.store.backfills import Wanted, batched
from qagate.store.database import Database
from qagate.store.tables import BackfillRow, BackfillSeriesRow
from qagate.work.archived import study_time
from qagate.work.fetched import IMAGE_CLASSES, keep

logger = logging.getLogger(__name__)

TRIES = 3
"""After so many failed tries a series is given up."""

WAITS_SECONDS = (60.0, 600.0)
"""Waits after the first and the second failed try of one series."""

AWAY_SECONDS = (5.0, 15.0, 60.0, 300.0)
"""Waits while the archive does not answer; the last one repeats."""

COMES_WITHIN_SECONDS = 60.0
"""So long nothing more may come of what an archive said to have sent by C-MOVE."""

AT_ONCE = 100
"""Images asked for in one request."""

NOTE_SECONDS = 2.0
"""How often it is counted and said how far it is."""

DISK_RESERVES = 3
"""Times storage.reserve_mb that must be free: a backfill stops long before a scanner is refused."""

CLASSES = (
    *IMAGE_CLASSES,
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.4.3",
    "1.2.840.10008.5.1.4.1.1.7",
)
"""What CT and MR series are made of, with legacy converted and colour ones, and screens among them."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How an archive is asked. per_hour: series, 0 = as fast as they are judged. ahead: fetched and not judged."""

    window: Window | None = None
    per_hour: float = 0
    ahead: int = 4
    zone: tzinfo | None = None


@dataclass(slots=True)
class Backfilling:
    """One backfill that goes on. say: takes a line about how far it is, whenever that changes."""

    settings: Settings
    database: Database
    clock: Clock
    backfill: BackfillRow
    destination: Destination
    manner: Manner
    say: Callable[[Progress], None]
    _began_at: float | None = None
    _away: int = 0
    _said: str = ""
    _noted_at: float | None = None
    _archive: Archive = field(init=False)

    def __post_init__(self) -> None:
        """Make what asks the archive."""
        self._archive = Archive(self.destination, self.settings.node.ae_title)

    @property
    def sender(self) -> str:
        """The AE title as whose its images count."""
        return (self.destination.ae_title or self.destination.name)[:16]

    def run(self, told: threading.Event) -> Progress:
        """Go on until everything is judged or somebody tells to stop; return how far it is.

        Faults of the archive, the disk and the database are waited for. Raises nothing that a retry could help.
        """
        while not told.is_set():
            try:
                pause = self._step(told)
            except DeliveryError as error:
                pause = AWAY_SECONDS[min(self._away, len(AWAY_SECONDS) - 1)]
                self._away += 1
                logger.warning("%s; it is asked again in %.0f s", error, pause)
                self._note(f"{error}; it is asked again", at_once=True)
            except QagateError as error:
                if not error.retryable:
                    raise
                logger.warning("%s; it is tried again", error)
                pause = 5.0
            if pause is None:
                break
            told.wait(pause)
        progress = self._progress()
        if progress.ended:
            with self.database.begin() as session:
                backfills.note(session, self.backfill.id, "", at=self.clock.now(), ended=True)
        self.say(progress)
        return progress

    def _progress(self) -> Progress:
        with self.database.read() as session:
            row = backfills.find(session, self.backfill.name)
            assert row is not None
            return backfills.progress(session, row, now=self.clock.now())

    def _note(self, words: str, *, at_once: bool = False) -> None:
        """Write down what it is doing, for `qagate status`, and say how far it is; not all the time."""
        now = self.clock.monotonic_seconds()
        if not at_once and self._noted_at is not None and now - self._noted_at < NOTE_SECONDS:
            return
        self._noted_at = now
        with self.database.begin() as session:
            backfills.note(session, self.backfill.id, words, at=self.clock.now())
        progress = self._progress()
        if str(progress) != self._said:
            self._said = str(progress)
            self.say(progress)

    def _step(self, told: threading.Event) -> float | None:
        """Do one thing; return how many seconds to wait until the next, None at the end."""
        now = self.clock.now()
        opens = self.manner.window.opens_at(now) if self.manner.window is not None else None
        if opens is not None:
            self._note(f"waits until {opens.astimezone(self.manner.zone):%H:%M}")
            return min(60.0, max((opens - now).total_seconds(), 0.1))
        if self._disk_is_low():
            self._note("waits for free disk")
            return 30.0
        with self.database.read() as session:
            unjudged = backfills.unjudged(session, self.backfill.id)
        if unjudged >= self.manner.ahead:
            self._note("waits for the judges; does `qagate work` run?" if self._stands_still() else "")
            return 1.0
        if (early := self._early()) > 0:
            self._note("keeps to its rate")
            return min(early, 10.0)
        if self._away:
            echo(self.destination, self.settings.node.ae_title)
        with self.database.begin() as session:
            item = backfills.claim(session, self.backfill.id, at=now)
        if item is not None:
            self._began_at = self.clock.monotonic_seconds()
            self._fetch(item, told)
            self._away = 0
            self._note("")
            return 0.0
        return self._list_or_wait(unjudged)

    def _list_or_wait(self, unjudged: int) -> float | None:
        with self.database.read() as session:
            row = backfills.find(session, self.backfill.name)
            assert row is not None
            progress = backfills.progress(session, row, now=self.clock.now())
        if row.next_day:
            self._list(date.fromisoformat(row.next_day))
            self._away = 0
            self._note("")
            return 0.0
        if progress.ended:
            return None
        self._note("" if unjudged else "waits before it tries again what failed")
        return 1.0

    def _disk_is_low(self) -> bool:
        folder = self.settings.storage.data_dir
        free_mb = shutil.disk_usage(folder if folder.exists() else ".").free >> 20
        return free_mb < DISK_RESERVES * self.settings.storage.reserve_mb

    def _stands_still(self) -> bool:
        return self._began_at is None or self.clock.monotonic_seconds() - self._began_at > 120

    def _early(self) -> float:
        """Return how many seconds too early it is for the next series."""
        if not self.manner.per_hour or self._began_at is None:
            return 0.0
        return self._began_at + 3600 / self.manner.per_hour - self.clock.monotonic_seconds()

    def _list(self, day: date) -> None:
        query = Query.from_json(self.backfill.query)
        found = self._archive.series_of(f"{day:%Y%m%d}", query.modalities)
        wanted = [
            Wanted(
                one.study_instance_uid,
                one.series_instance_uid,
                one.modality,
                one.series_description,
                study_time(one, day, self.manner.zone),
                one.images,
            )
            for one in found
            if one.series_instance_uid and query.wants(one.modality, one.series_description)
        ]
        with self.database.begin() as session:
            new = backfills.add_day(session, self.backfill.id, day, wanted, sender=self.sender)
        logger.info("%s: %d series of %s, %d of them wanted", self.destination.name, len(found), day, new)

    def _fetch(self, item: BackfillSeriesRow, told: threading.Event) -> None:
        """Fetch one series and give it to the judges, or write down why it did not come. Raises DeliveryError."""
        study, uid = item.study_instance_uid, item.series_instance_uid
        try:
            held = self._archive.instances(study, uid)
            missing = sorted(held - self._here(uid))
            for some in batched(missing, AT_ONCE):
                if told.is_set():
                    return  # what is begun is continued next time
                with self.database.begin() as session:
                    backfills.touch(session, item.id, at=self.clock.now())
                self._retrieve(study, uid, some)
        except SpoolError:
            raise
        except QagateError as error:
            self._failed(item, str(error))
            if isinstance(error, DeliveryError) and error.retryable:
                raise  # the whole archive may be away: it is asked whether it is there before it goes on
            return
        here = self._here(uid)
        left = len(held - here)
        if not held:
            self._failed(item, "the archive lists no image of it")
        elif left and item.attempts + 1 < TRIES:
            self._failed(item, f"{left} of {len(held)} images did not come")
        elif not here:
            self._failed(item, f"none of its {len(held)} images came")
        else:
            with self.database.begin() as session:
                backfills.fetched(session, item.id, missing=left, at=self.clock.now())

    def _failed(self, item: BackfillSeriesRow, detail: str) -> None:
        logger.warning("series %s: %s", item.series_instance_uid, detail)
        with self.database.begin() as session:
            if item.attempts + 1 >= TRIES:
                backfills.failed(session, item.id, detail=detail)
            else:
                wait = WAITS_SECONDS[min(item.attempts, len(WAITS_SECONDS) - 1)]
                due = self.clock.now() + timedelta(seconds=wait)
                backfills.later(session, item.id, next_at=due, detail=detail)

    def _here(self, uid: str) -> frozenset[str]:
        with self.database.read() as session:
            return completion.here(session, uid)

    def _retrieve(self, study: str, uid: str, some: Sequence[str]) -> None:
        stored: list[StoredInstance] = []

        def take(part: bytes) -> None:
            stored.append(keep(part, self.settings, self.clock, source=self.sender, series=uid))

        try:
            self._archive.retrieve(study, uid, some, sop_class_uids=CLASSES, keep=take)
        finally:
            if stored:
                with self.database.begin() as session:
                    reception.register(session, stored)
        if self.destination.retrieve == "c-move":
            self._await(uid, frozenset(some))

    def _await(self, uid: str, some: frozenset[str]) -> None:
        """Wait for what comes through the receiver while more of it comes."""
        number, since = -1, time.monotonic()
        while time.monotonic() - since < COMES_WITHIN_SECONDS:
            came = len(some & self._here(uid))
            if came == len(some):
                return
            if came != number:
                number, since = came, time.monotonic()
            time.sleep(0.1)
