"""Workers look after one another: what a dead one had begun is continued by another within half a minute.

A worker is taken for dead when its count of beats has stood still over several looks in a row. Clocks are not compared,
so that neither a step nor a difference of clocks kills anybody; a look that fails (the database is away, so nobody can
beat) starts the counting anew. Work that counts as begun and that nobody runs is forgotten after as many looks: the
sweeps then write it down anew. One that was only cut off goes on beside its rescuer; that is safe, because every step
of a journey may be done twice: the same answer about the same images is the same document.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field

from qagate.clock import Clock
from qagate.errors import StoreError
from qagate.store import workers
from qagate.store.database import Database

logger = logging.getLogger(__name__)

BEAT_SECONDS = 2.5
LOOKS = 5
"""So many looks in a row without a new beat, BEAT_SECONDS apart: then a worker counts as dead."""


@dataclass(slots=True)
class Standstill:
    """Who has stood still for how many looks: executor id → (beats, looks). Pure counting."""

    seen: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def look(self, beats: Mapping[str, int]) -> list[str]:
        """Take what is to be seen now; return who has stood still for LOOKS looks after the first."""
        before = self.seen
        self.seen = {
            who: (count, before[who][1] + 1 if who in before and before[who][0] == count else 0)
            for who, count in beats.items()
        }
        return [who for who, (_, looks) in self.seen.items() if looks >= LOOKS]

    def forget(self) -> None:
        """Start anew."""
        self.seen = {}


class Neighbourhood:
    """One worker among others. rescue: makes what another had begun available again, and returns how much it was.

    strays: takes who lives; returns what counts as begun and is run by nobody. forget: lets one of those be begun anew.
    device, queues, version: what is said of this one on the list.

    A worker that stops in order takes no leave: what it was about is continued as if it had died.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        executor_id: str,
        *,
        device: str,
        rescue: Callable[[str], int],
        queues: str = "",
        version: str = "",
        strays: Callable[[Container[str]], set[str]],
        forget: Callable[[str], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._executor_id = executor_id
        self._device = device
        self._rescue = rescue
        self._queues = queues
        self._version = version
        self._strays = strays
        self._forget = forget
        self._standstill = Standstill()
        self._strayed = Standstill()
        self._begun = False

    def beat(self) -> None:
        """Say that this worker lives."""
        with self._database.begin() as session:
            known = workers.beat(
                session,
                self._executor_id,
                device=self._device,
                at=self._clock.now(),
                queues=self._queues,
                version=self._version,
            )
        if self._begun and not known:
            logger.warning("this worker was silent for so long that others continue what it had begun")
        self._begun = True

    def watch(self) -> None:
        """Look at the others, and continue what the dead have left and what nobody runs."""
        try:
            with self._database.read() as session:
                beats = workers.beats(session)
            strays = self._strays({*beats, self._executor_id})
        except StoreError:
            self._standstill.forget()
            self._strayed.forget()
            raise
        others = {who: count for who, count in beats.items() if who != self._executor_id}
        for dead in self._standstill.look(others):
            number = self._rescue(dead)  # may be done twice; only then is it off the list
            with self._database.begin() as session:
                workers.remove(session, dead, beats=beats[dead])
            logger.warning("worker %s is dead; %d pieces of work it had begun are continued", dead, number)
        for workflow_id in self._strayed.look(dict.fromkeys(strays, 0)):
            self._forget(workflow_id)
            logger.warning("%s counted as begun, and nobody was at it; it is begun anew", workflow_id)
