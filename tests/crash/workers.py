"""Several workers over one database; one after the other is killed under load, and the others continue its work."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.errors import StoreError
from qagate.store.database import Database
from qagate.store.tables import RevisionRow
from qagate.store.workers import beats
from tests.crash.ledger import Ledger, account
from tests.crash.node import Node, worker
from tests.crash.pacs import Pacs
from tests.crash.sending import Sender, series
from tests.peers.dcmtk import free_port

RESCUED_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Rescue:
    """One death, in seconds from it.

    rescued_seconds: until others had noticed it and put back what it had begun. seconds: until all that was begun by
    then had come to its end, which is as slow as the machine.
    """

    victim: str
    begun: int
    rescued_seconds: float
    seconds: float


def kill_workers(
    folder: Path, database_url: str, *, kills: int, workers: int = 2, seed: int = 1, images: int = 3
) -> tuple[Ledger, list[Rescue]]:
    """Send series, and kill a worker that stays down until what it had begun is done by others; then the next.

    A death counts when the worker had begun something. Series may be set aside by no death here.
    """
    chance = random.Random(seed)
    port = free_port()
    with ExitStack() as stack:
        pacs = stack.enter_context(Pacs(0, folder / "pacs"))
        destination = {"name": "PACS", "ae_title": "MINIPACS", "host": "127.0.0.1", "port": pacs.port}
        node = stack.enter_context(
            Node(folder / "node", destinations=[destination], database_url=database_url, port=port, workers=workers)
        )
        database = stack.enter_context(closing(Database.reach(node.database_url)))
        sender = Sender(port)
        numbers, rescues = 0, []
        for _ in range(kills):
            for _ in range(3):
                numbers += 1
                sender.send(series(numbers, images))
            node.wait(_holds(database, lambda session: bool(_at_work(session))), 60, "a worker to begin")
            time.sleep(chance.uniform(0, 0.4))
            victim = chance.choice(node.workers)
            with database.read() as session:
                begun = _at_work(session)
            node.kill(victim, stay_down=True)
            died = time.monotonic()
            noticed = _holds(database, lambda session, victim=victim: victim not in _listed(session))
            node.wait(noticed, 120, f"the death of {victim} to be noticed")
            rescued = time.monotonic() - died
            ended = _holds(database, lambda session, begun=begun: not (begun & _at_work(session)))
            node.wait(ended, 120, f"the work of {victim} to be continued")
            rescues.append(Rescue(victim, len(begun), rescued, time.monotonic() - died))
            node.start(victim)
            node.ready()
        with suppress(AssertionError):  # the ledger says what is not at its end
            node.wait_for_end(numbers, 240)
        return account(sender.promises, node.settings, node.database_url, pacs.objects()), rescues


def _holds(database: Database, condition: Callable[[Session], bool]) -> Callable[[], bool]:
    """Return a condition on the database as a question; a database that does not answer says no."""

    def asked() -> bool:
        try:
            with database.read() as session:
                return condition(session)
        except StoreError:
            return False

    return asked


def _listed(session: Session) -> set[str]:
    """Return the processes of the workers that count as alive."""
    return {worker(int(executor_id.rpartition("-")[2])) for executor_id in beats(session)}


def _at_work(session: Session) -> set[int]:
    """Return the revisions that are on their way."""
    return set(session.scalars(select(RevisionRow.id).where(RevisionRow.state.in_(("queued", "assessed")))))
