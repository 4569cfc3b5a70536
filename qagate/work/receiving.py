"""The receive process: objects into the spool, and what is in the spool into the database.

An object is safe, and answered with Success, once the spool has it. The database learns of it a moment later, in
batches; when the database is down, also from the start, or the process dies in between, the spool is read again and
nothing is lost.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qagate.clock import Clock
from qagate.domain.series import StoredInstance
from qagate.errors import QagateError, StoreError
from qagate.receive.server import AssociationEvent
from qagate.receive.sparing import SparingLog
from qagate.receive.spool import Spool
from qagate.store import reception
from qagate.store.database import Database
from qagate.store.events import LEFT_OUT, event
from qagate.store.routing import NOWHERE, Routing
from qagate.work.adopting import Adoption

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

BATCH = 200
ADOPT_SECONDS = 300
"""How often the spool is compared with the database while running; also after every fault of the database."""


ADOPT_SLICE_SECONDS = 0.2


MOST_WAITING_REFUSALS = 10_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A peer was turned away: who and why."""

    words: str
    at: datetime


class Registrar:
    """Writes what arrives into the database, in order, in batches, from one thread."""

    def __init__(
        self, database: Database, spool: Spool, clock: Clock, *, receiver: str, routing: Routing = NOWHERE
    ) -> None:
        self._database = database
        self._spool = spool
        self._clock = clock
        self._receiver = receiver
        self._routing = routing
        self._arrived: queue.SimpleQueue[StoredInstance | AssociationEvent | Refusal | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="registrar", daemon=True)
        self._adoption = Adoption(database, spool, self._register)
        self._adopting: Iterator[int] | None = None
        self._found = 0
        self._next_adoption = 0.0
        self._begun = False
        self._away_since: float | None = None
        self._log = SparingLog(logger, clock)

    def start(self) -> None:
        """Begin: first with what an earlier process left behind, as soon as the database is there."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and stop."""
        self._arrived.put(None)
        self._thread.join(timeout=30)

    def stored(self, instance: StoredInstance) -> None:
        """Note an object that is safe in the spool."""
        self._arrived.put(instance)

    def association(self, event: AssociationEvent) -> None:
        """Note that an association began or ended."""
        self._arrived.put(event)

    def refused(self, words: str) -> None:
        """Note for the trail that a peer was turned away; of a flood that waits only the first ones are kept."""
        if self._arrived.qsize() < MOST_WAITING_REFUSALS:
            self._arrived.put(Refusal(words, self._clock.now()))

    def adopt(self) -> int:
        """Register every object of the spool that the database does not know; returns how many."""
        adopted = sum(self._adoption.look())
        self._adopted(adopted)
        return adopted

    def _adopt_for_a_while(self) -> None:
        """Begin or go on to adopt, for a moment only: what arrives meanwhile must not wait until all is looked at."""
        if self._adopting is None:
            self._adopting, self._found = self._adoption.look(), 0
        end = self._clock.monotonic_seconds() + ADOPT_SLICE_SECONDS
        for number in self._adopting:
            self._found += number
            if self._clock.monotonic_seconds() >= end:
                return
        self._adopting = None
        self._adopted(self._found)

    def _adopted(self, number: int) -> None:
        self._next_adoption = self._clock.monotonic_seconds() + ADOPT_SECONDS
        if number:
            logger.warning("%d objects of the spool were unknown to the database and have been adopted", number)

    def _register(self, instances: list[StoredInstance]) -> int:
        """Record orphans. Whether what carried them was released is not known: it counts as an aborted association."""
        now, found = self._clock.now(), 0

        def record(session: Session, some: Sequence[StoredInstance]) -> None:
            nonlocal found
            lost = uuid.uuid4().hex
            reception.open_association(
                session,
                association_id=lost,
                calling_ae_title=some[0].calling_ae_title,
                called_ae_title="",
                host="",
                receiver=self._receiver,
                at=now,
            )
            reception.close_association(session, association_id=lost, at=now, aborted=True)
            adopted = [replace(instance, association_id=lost) for instance in some]
            found += reception.register(session, adopted, self._routing, found=True)

        self._one_by_one(instances, record)
        return found

    def _one_by_one(self, items: Sequence[Item], record: Callable[[Session, Sequence[Item]], None]) -> None:
        """Write items together, or each by itself when one of them can never be written. Raises StoreError."""
        try:
            with self._database.begin() as session:
                record(session, items)
            return
        except Exception as error:  # a fault of one item must not cost the others their rows
            if _passes(error):
                raise
        for item in items:
            try:
                with self._database.begin() as session:
                    record(session, [item])
            except Exception as error:
                if _passes(error):
                    raise
                logger.exception("this cannot be written to the database and is left out: %s", item)
                if isinstance(item, StoredInstance):
                    self._left_out(item)

    def _left_out(self, instance: StoredInstance) -> None:
        """Note that an object is in the spool alone, so that people are told: its sender has had Success."""
        if not self._log.warn(("left out",), f"{instance.path.name} is in the spool alone; people are told"):
            return
        with self._database.begin() as session:
            event(session, self._clock.now(), LEFT_OUT, detail=instance.path.name)

    def _run(self) -> None:
        batch: list[StoredInstance | AssociationEvent | Refusal] = []
        stopping = False
        while not stopping:
            try:
                batch.append(self._take(timeout=1.0 if self._begun and self._adopting is None else 0))
                while len(batch) < BATCH:
                    batch.append(self._take(timeout=0))
            except queue.Empty:
                pass
            except _Stop:
                stopping = True
            try:
                self._begin()
                self._write(batch)
                batch = []
                self._is_back()
                if self._may_adopt():
                    self._adopt_for_a_while()
            except StoreError as error:
                self._adopting = None
                # Nothing is lost: the objects are in the spool, and the batch is tried again.
                self._is_away(error)
                threading.Event().wait(0 if stopping else 1.0)
            except Exception:  # without this thread nothing that is received would ever be judged
                logger.exception("the spool could not be compared with the database; it is tried again later")
                self._adopting = None
                self._next_adoption = self._clock.monotonic_seconds() + ADOPT_SECONDS
        if self._begun and not batch:
            with contextlib.suppress(StoreError), self._database.begin() as session:
                event(session, self._clock.now(), "stopped", detail=f"qagate receive {self._receiver}")
        if batch:
            logger.error("%d entries could not be written to the database; the spool has them", len(batch))

    def _begin(self) -> None:
        """Close what a process of this name that died left open; once, as soon as the database is there."""
        if self._begun:
            return
        with self._database.begin() as session:
            left = reception.close_all_associations(session, receiver=self._receiver, at=self._clock.now())
            event(session, self._clock.now(), "started", detail=f"qagate receive {self._receiver}")
        self._begun, self._next_adoption = True, self._clock.monotonic_seconds()
        if left:
            logger.warning("%d associations were open when the receiver stopped; they count as aborted", left)

    def _may_adopt(self) -> bool:
        """Whether to adopt now: not while entries wait that say more than the files do, unless they never end."""
        late = self._clock.monotonic_seconds() - self._next_adoption
        return late >= (0 if self._arrived.empty() else ADOPT_SECONDS)

    def _is_away(self, error: StoreError) -> None:
        self._log.warn(("away",), f"{error}; reception goes on into the spool, and the database is tried again")
        if self._away_since is None:
            self._away_since = self._clock.monotonic_seconds()

    def _is_back(self) -> None:
        if self._away_since is not None:
            away = self._clock.monotonic_seconds() - self._away_since
            logger.warning("the database is there again after %.0f s; it learns what came meanwhile", away)
            self._away_since = None

    def _take(self, timeout: float) -> StoredInstance | AssociationEvent | Refusal:
        item = self._arrived.get(timeout=timeout) if timeout else self._arrived.get_nowait()
        if item is None:
            raise _Stop
        return item

    def _write(self, batch: list[StoredInstance | AssociationEvent | Refusal]) -> None:
        if batch:
            self._one_by_one(batch, self._record)

    def _record(self, session: Session, batch: Sequence[StoredInstance | AssociationEvent | Refusal]) -> None:
        arrived: list[StoredInstance] = []
        for item in batch:
            if isinstance(item, StoredInstance):
                arrived.append(item)  # what came between two events is written together
                continue
            reception.register(session, arrived, self._routing)
            arrived = []
            self._record_event(session, item)
        reception.register(session, arrived, self._routing)

    def _record_event(self, session: Session, item: AssociationEvent | Refusal) -> None:
        if isinstance(item, Refusal):
            event(session, item.at, "refused", detail=item.words)
        elif item.opened:
            reception.open_association(
                session,
                association_id=item.id,
                calling_ae_title=item.calling_ae_title,
                called_ae_title=item.called_ae_title,
                host=item.host,
                receiver=self._receiver,
                at=item.at,
            )
        else:
            reception.close_association(session, association_id=item.id, at=item.at, aborted=item.aborted)


def _passes(error: Exception) -> bool:
    """Whether the same may be written later. What breaks a rule of the tables does so each time."""
    return isinstance(error, QagateError) and error.retryable and not isinstance(error.__cause__, IntegrityError)


class _Stop(Exception):
    """The registrar was asked to stop."""
