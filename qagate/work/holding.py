"""Holding images and letting them go, over and over. Needs neither model nor worker: it goes on when they do not."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from qagate.clock import Clock
from qagate.domain.holding import CAUSE_WORDS, Cause, Hold, Restamp, after, deadline, on_arrival
from qagate.errors import InputError, StoreError
from qagate.settings import Settings
from qagate.store import holding
from qagate.store.database import Database
from qagate.work.arrival import arrival_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holds:
    """Decides about every series with originals that wait."""

    settings: Settings
    database: Database
    clock: Clock

    def sweep(self) -> None:
        """Decide about new series, look whether held ones may go, and send late images after theirs.

        Safe to repeat, and in several processes at once. A series that cannot be decided about is let go.
        """
        with self.database.read() as session:
            new = holding.undecided(session)
        for first in new:
            self._begin(first)
        with self.database.read() as session:
            held = holding.held(session)
        for uid, facts in held:
            answer = after(facts, self.clock.now())
            if isinstance(answer, Restamp):
                logger.warning("the clock stepped back; the deadline of %s starts anew", uid)
                with self.database.begin() as session:
                    holding.restamp(session, uid, at=answer.held_at, until=answer.until)
            elif answer is not None:
                self._let_go(uid, answer)
        with self.database.read() as session:
            late = holding.any_late(session)
        if late:
            with self.database.begin() as session:
                holding.late(session, at=self.clock.now())

    def _begin(self, first: holding.First) -> None:
        try:
            arrival = arrival_of(
                Path(first.path),
                sop_class_uid=first.sop_class_uid,
                modality=first.modality,
                calling_ae_title=first.calling_ae_title,
            )
            answer = on_arrival(arrival, self.settings.policies, self.settings.holding)
        except InputError as error:
            logger.warning("series %s is not held: %s", first.series_instance_uid, error)
            answer = Cause.FAILED
        except StoreError:
            raise
        except Exception:  # a fault of ours must hold nothing back
            logger.exception("series %s is not held", first.series_instance_uid)
            answer = Cause.FAILED
        if not isinstance(answer, Hold):
            self._let_go(first.series_instance_uid, answer)
            return
        now = self.clock.now()
        # counted from the first image, not from when we came to look at it: a forwarder may have been away
        since = min(first.received_at, now)
        until = deadline(since, answer)
        with self.database.begin() as session:
            holding.hold(session, first.series_instance_uid, policy=answer.policy, at=since, until=until)
        logger.info(
            "series %s is held until %s at the latest", first.series_instance_uid, until.isoformat("T", "seconds")
        )

    def _let_go(self, uid: str, cause: Cause) -> None:
        with self.database.begin() as session:
            if not holding.let_go(session, uid, cause, at=self.clock.now()):
                return
        level = logging.WARNING if cause is Cause.DEADLINE else logging.INFO
        logger.log(level, "series %s is released: %s", uid, CAUSE_WORDS[cause])
