"""The forward process: it lets images go and carries them to their destinations.

It is a process of its own, without model, queue engine or pages, so that none of their faults can hold an image back.
Several may run at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from qagate.clock import Clock
from qagate.deliver.originals import Original, forward
from qagate.deliver.receipt import Receipt
from qagate.domain.obstacle import Obstacle
from qagate.domain.status import DUPLICATE_SOP_INSTANCE
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, QagateError, Unreachable
from qagate.settings import Destination, Settings
from qagate.store import forwarding
from qagate.store.database import Database
from qagate.store.forwarding import Claimed
from qagate.work.committing import Commitments
from qagate.work.holding import Holds
from qagate.work.promising import Promising

logger = logging.getLogger(__name__)

LANES = 2
"""Associations at one time with each destination: DICOM waits for each answer before the next object."""

BATCH = 100
MARK_EVERY = 25
MARK_SECONDS = 1.0
RENEW_SECONDS = 20.0
IDLE_SECONDS = 0.25
AWAY_SECONDS = (1, 5, 15, 30)
"""Waits of a lane whose destination is away; the last one repeats."""


@dataclass(slots=True)
class Lane:
    """One association after the other with one destination."""

    settings: Settings
    destination: Destination
    database: Database
    clock: Clock
    name: str
    stopping: threading.Event = field(default_factory=threading.Event)
    away: int = 0

    def run(self) -> None:
        """Carry until told to stop."""
        while not self.stopping.is_set():
            try:
                idle = IDLE_SECONDS if self.carry() == 0 else 0.0
            except QagateError as error:
                logger.error("%s: %s; it is tried again", self.destination.name, error)
                idle = AWAY_SECONDS[0]
            except Exception:  # the top of this thread: without it images would wait for ever
                logger.exception("%s: forwarding failed; it is tried again", self.destination.name)
                idle = AWAY_SECONDS[1]
            if self.away:
                idle = AWAY_SECONDS[min(self.away, len(AWAY_SECONDS)) - 1]
            self.stopping.wait(idle)

    def carry(self) -> int:
        """Send a batch of what is due; returns how many originals that were.

        Database first (the claim), then the network, then the database (what was taken): a crash in between sends the
        same bytes again, which every archive takes as a duplicate.
        """
        with self.database.read() as session:
            if not forwarding.waits(session, self.destination.name, at=self.clock.now()):
                return 0
        with self.database.begin() as session:
            batch = forwarding.claim(
                session, self.destination.name, by=self.name, at=self.clock.now(), limit=1 if self.away else BATCH
            )
        if not batch:
            return 0
        claimed_as = {_original(one): one for one in batch}
        open_ones = {one.forward_id: one for one in batch}
        taken: list[tuple[Claimed, str]] = []
        marked_at = self.clock.monotonic_seconds()
        try:
            with self._renewed(batch):
                for original, answer in forward(
                    tuple(claimed_as), self.destination, calling_ae_title=self.settings.node.ae_title
                ):
                    self._is_there()
                    one = open_ones.pop(claimed_as[original].forward_id)
                    if isinstance(answer, Receipt):
                        answer = self._has_another(one, answer) or answer
                    if isinstance(answer, Receipt):
                        taken.append((one, _remark(answer)))
                    else:
                        self._failed([one], answer)
                    if len(taken) >= MARK_EVERY or self.clock.monotonic_seconds() - marked_at >= MARK_SECONDS:
                        self._mark(taken)
                        taken, marked_at = [], self.clock.monotonic_seconds()
                    if self.stopping.is_set():
                        break
        except (Unreachable, AssociationRejected) as error:
            self.away += 1
            logger.warning("%s: %s", self.destination.name, error)
            self._mark(taken)
            left = list(open_ones.values())
            # the next one is what it broke off at: perhaps it does so at nothing else
            error.broke_off = error.broke_off or len(left) < len(batch)
            tried = left[:1] if error.broke_off else left
            self._failed(tried, error)
            self._leave(left[len(tried) :])
            return len(batch)
        self._mark(taken)
        self._leave(list(open_ones.values()))  # told to stop
        return len(batch)

    def _has_another(self, claimed: Claimed, receipt: Receipt) -> DeliveryRefused | None:
        """Return the refusal that hides in a remark: the destination has other bytes, and did not take these."""
        if receipt.code != DUPLICATE_SOP_INSTANCE or not claimed.rivalled:
            return None
        return DeliveryRefused(
            f"{self.destination.name} has other bytes under {claimed.sop_instance_uid} and did not take these; both "
            "are kept here: delete the wrong ones there and try again, or give these up"
        )

    @contextmanager
    def _renewed(self, batch: Sequence[Claimed]) -> Iterator[None]:
        """Renew the claim from a thread of its own: one image may travel for longer than a claim lasts."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(RENEW_SECONDS):
                try:
                    with self.database.begin() as session:
                        # what is recorded already is not claimed any more, and stays so
                        forwarding.renew(session, [one.forward_id for one in batch], by=self.name, at=self.clock.now())
                except QagateError as error:
                    logger.error("%s: %s; it is tried again", self.destination.name, error)

        thread = threading.Thread(target=renew, name="renew", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _mark(self, taken: list[tuple[Claimed, str]]) -> None:
        if taken:
            with self.database.begin() as session:
                forwarding.sent(session, taken, at=self.clock.now())
            logger.info("%s took %d images", self.destination.name, len(taken))

    def _failed(self, claimed: list[Claimed], error: DeliveryError) -> None:
        if not claimed:
            return
        if not error.retryable:
            logger.error("%s: %s", self.destination.name, error)
        with self.database.begin() as session:
            forwarding.failed(session, claimed, obstacle=Obstacle.of(error), detail=str(error), at=self.clock.now())

    def _leave(self, claimed: list[Claimed]) -> None:
        """Leave what was not tried to the next batch."""
        if claimed:
            with self.database.begin() as session:
                forwarding.unclaim(session, [one.forward_id for one in claimed])

    def _is_there(self) -> None:
        """After it was away: what waits for it waits no longer."""
        if self.away:
            self.away = 0
            with self.database.begin() as session:
                forwarding.is_there(session, self.destination.name, at=self.clock.now())


class Forwarder:
    """All lanes and periodic duties of one forward process; use as a context manager."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, *, name: str) -> None:
        self._database = database
        self._name = name
        self._stopping = threading.Event()
        commitments = Commitments(settings, database, clock)
        promising = Promising(settings, database, clock)
        # each in a thread of its own: a scanner that does not answer must not stop a deadline
        self._duties: tuple[tuple[Callable[[], None], float], ...] = (
            (Holds(settings, database, clock).sweep, 0.5),
            (commitments.ask_for_originals, 2),
            (promising.answer, 1),
        )
        self._lanes = [
            Lane(settings, destination, database, clock, name, self._stopping)
            for destination in settings.destinations
            if destination.originals
            for _ in range(LANES)
        ]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Forwarder:
        """Begin."""
        targets: list[tuple[str, Callable[[], None]]] = [(f"lane-{n}", lane.run) for n, lane in enumerate(self._lanes)]
        for duty, seconds in self._duties:
            targets.append((duty.__qualname__, self._repeated(duty, seconds)))
        first = threading.Thread(target=self._begin, args=(targets,), name="begin", daemon=True)
        self._threads.append(first)
        first.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; what is being sent is ended first."""
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(timeout=10)

    def _begin(self, targets: list[tuple[str, Callable[[], None]]]) -> None:
        """Free what an earlier process of this name was sending, as soon as the database is there, then start."""
        while not self._stopping.is_set():
            try:
                with self._database.begin() as session:
                    forwarding.unclaim_all(session, self._name)
                break
            except QagateError as error:
                logger.error("%s; it is tried again", error)
                self._stopping.wait(1)
        for name, target in targets:
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _repeated(self, duty: Callable[[], None], seconds: float) -> Callable[[], None]:
        def run() -> None:
            while not self._stopping.is_set():
                try:
                    duty()
                except QagateError as error:
                    logger.error("%s: %s; it is tried again", duty.__qualname__, error)
                except Exception:  # the top of this thread
                    logger.exception("%s failed; it is tried again", duty.__qualname__)
                self._stopping.wait(seconds)

        return run


def _original(claimed: Claimed) -> Original:
    return Original(
        path=Path(claimed.path),
        sop_class_uid=claimed.sop_class_uid,
        sop_instance_uid=claimed.sop_instance_uid,
        transfer_syntax_uid=claimed.transfer_syntax_uid,
        sha256=claimed.sha256,
    )


def _remark(receipt: Receipt) -> str:
    if receipt.status != "warning":
        return ""
    return f"0x{receipt.code:04X} {receipt.detail}".strip()
