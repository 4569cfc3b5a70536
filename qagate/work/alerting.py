"""The sweep that finds incidents and tells people about them."""

from __future__ import annotations

import contextlib
import logging
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from qagate.clock import Clock
from qagate.deliver.message import send
from qagate.domain.alert import (
    Sign,
    burst,
    certificates,
    disk,
    is_quiet,
    left_out,
    nobody_judges,
    parked,
    standstills,
    steps,
    unpromised,
    unwritable,
)
from qagate.errors import QagateError, SettingsError, StoreError
from qagate.receive.spool import why_unwritable
from qagate.settings import Settings
from qagate.store import alerts, standstill, undelivered, workers
from qagate.store.database import Database
from qagate.tls import expiry
from qagate.work.attendance import Attendance
from qagate.work.certificates import own
from qagate.work.outage import Outage
from qagate.work.telling import Telling

logger = logging.getLogger(__name__)

TITLES = {"opened": "qagate: look", "updated": "qagate: still", "closed": "qagate: over"}
LOOK_BACK = timedelta(days=1)
ADOPTED_TWICE = timedelta(minutes=15)
"""Within this what the database does not take has been tried again."""


@dataclass(frozen=True, slots=True)
class Alerting:
    """Finds what is wrong, keeps it as incidents, and tells each once."""

    settings: Settings
    database: Database
    clock: Clock
    _telling: Telling = field(init=False)
    _judges: Attendance = field(init=False)
    _outage: Outage = field(init=False)

    def __post_init__(self) -> None:
        """Remember what was told where all workers do."""
        object.__setattr__(self, "_telling", Telling(self.settings.storage.data_dir))
        object.__setattr__(self, "_judges", Attendance(self.clock))
        object.__setattr__(self, "_outage", Outage(self.settings, self.clock))

    def watch(self) -> None:
        """Bring the incidents up to date, then tell what was not told yet, unless it is quiet time."""
        now, wanted = self.clock.now(), self.settings.alerts
        quiet = not wanted.urls or is_quiet(now.astimezone(), wanted.quiet_from, wanted.quiet_until)
        try:
            with self.database.read() as session:  # not in the other: looking takes longer than others should wait
                signs = self._signs(session)
            with self.database.begin() as session:
                alerts.apply(session, steps(alerts.current(session), signs, wanted.scanners), now)
        except StoreError:
            self._judges.forget()
            self._outage.lasts(quiet=quiet)
            raise
        if quiet:
            return
        self._outage.is_over()
        with self._telling.alone() as alone:
            if alone:
                self._tell()

    def _tell(self) -> None:
        urls = self.settings.alerts.urls
        with self.database.read() as session:
            messages = alerts.untold(session)
        fault: QagateError | None = None
        for message in messages:
            told = self._telling.of(message, urls)
            try:
                send(urls, TITLES[message.state], message.words, told)
            except QagateError as error:
                fault = fault or error  # the next incident is told all the same
                self._telling.remember(message, told)
                continue
            with self.database.begin() as session:  # a crash in between tells it twice, never not at all
                alerts.told(session, message, self.clock.now())
            logger.info("told: %s", message.words)
        self._telling.forget(but=messages)
        if fault is not None:
            raise fault

    def _signs(self, session: Session) -> list[Sign]:
        wanted, storage = self.settings.alerts, self.settings.storage
        since = self.clock.now() - LOOK_BACK
        outcomes = alerts.recent_outcomes(session, since=since, last=wanted.flagged_of_last)
        nobody_takes = {name: states.get("parked", 0) for name, states in undelivered.counts(session).items()}
        waited = self.clock.now() - timedelta(minutes=wanted.standstill_minutes)
        stuck = standstill.not_taken(session, before=waited), standstill.not_tried(session, before=waited)
        found = [
            *parked(nobody_takes, [d.name for d in self.settings.destinations]),
            *standstills(*stuck),
            *left_out(standstill.left_out(session, since=self.clock.now() - ADOPTED_TWICE)),
            *unpromised(self._not_promised(session)),
            *(() if self._judges.look(workers.beats(session, "score")) else nobody_judges()),
            *burst(outcomes, wanted.flagged_of_last, wanted.flagged_share),
        ]
        if storage.data_dir.exists():
            free_mb = shutil.disk_usage(storage.data_dir).free >> 20
            found += disk(free_mb, storage.reserve_mb, wanted.disk_reserves)
            if free_mb > storage.reserve_mb:
                found += unwritable(why_unwritable(self.settings.spool_dir))
        return [*found, *certificates(self._certificates(), self.clock.now())]

    def _not_promised(self, session: Session) -> set[str]:
        names = [d.name for d in self.settings.destinations if d.originals and d.commitment]
        before = self.clock.now() - timedelta(hours=self.settings.alerts.unpromised_hours)
        return standstill.not_promised(session, names, before=before)

    def _certificates(self) -> dict[str, tuple[str, datetime]]:
        """Return until when our certificates are valid; what cannot be read here may lie on another machine."""
        found = {}
        for one in own(self.settings):
            with contextlib.suppress(SettingsError):
                found[one.key] = one.whose, expiry(one.path)
        return found
