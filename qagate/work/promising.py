"""Storage commitment towards scanners: taken by the receiver, answered by the forwarder once the destinations have.

Beside a PACS (no destination with originals) it is not offered: the spool is no archive and promises nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from pydicom.dataset import Dataset

from qagate.clock import Clock
from qagate.deliver.commitment import report
from qagate.domain.commitment import standing
from qagate.domain.status import INVALID_ARGUMENT, NOT_AUTHORISED, RESOURCE_LIMITATION, SUCCESS
from qagate.errors import DeliveryError, Unreachable
from qagate.receive.admission import is_address_of
from qagate.settings import Destination, Settings
from qagate.store import commitments
from qagate.store.commitments import Asked
from qagate.store.database import Database

logger = logging.getLogger(__name__)

MOST_INSTANCES = 50_000
"""Objects in one request."""

LOOK_SECONDS, LOOK_LATER_SECONDS = 1, 20
"""How often a request is looked at in its first ten minutes, and afterwards."""

TELL_SECONDS = (5, 15, 60, 300, 900)
"""Waits after the first, second, ... time that a scanner could not be told; the last one repeats."""

TELL_FOR = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Promising:
    """Takes requests for storage commitment, and answers them truthfully."""

    settings: Settings
    database: Database
    clock: Clock

    @property
    def offered(self) -> bool:
        """Whether we stand in front of an archive at all."""
        return any(d.originals for d in self.settings.destinations)

    def take(self, action_information: Dataset, calling_ae_title: str, host: str) -> int:
        """Record a request durably and return the status. Raises StoreError: then nothing was promised."""
        transaction_uid = str(action_information.get("TransactionUID") or "")
        instances = [
            (str(item.get("ReferencedSOPClassUID") or ""), str(item.get("ReferencedSOPInstanceUID") or ""))
            for item in action_information.get("ReferencedSOPSequence") or ()
        ]
        if not 0 < len(transaction_uid) <= 64 or not instances:
            return INVALID_ARGUMENT
        if any(not 0 < len(uid) <= 64 or " " in uid for pair in instances for uid in pair):
            return INVALID_ARGUMENT
        if len(instances) > MOST_INSTANCES:
            return RESOURCE_LIMITATION
        if self._address(calling_ae_title, host) is None:
            logger.warning(
                "receive: storage commitment for %s refused: set port under its entry in node.peers, "
                "so that the result can be sent to it",
                calling_ae_title,
            )
            return NOT_AUTHORISED
        with self.database.begin() as session:
            commitments.ask(
                session,
                transaction_uid=transaction_uid,
                calling_ae_title=calling_ae_title,
                host=host,
                instances=instances,
                at=self.clock.now(),
            )
        return SUCCESS

    def answer(self) -> None:
        """Answer every request of which everything is known. Safe to repeat, and in several processes at once."""
        with self.database.read() as session:
            if not commitments.any_due(session, at=self.clock.now()):
                return
        with self.database.begin() as session:
            requests = commitments.due(session, at=self.clock.now())
        silent: set[str] = set()
        for asked in requests:
            self._answer_one(asked, silent)

    def _answer_one(self, asked: Asked, silent: set[str]) -> None:
        """silent: scanners that nobody answers for now; each costs the others its time limit once, not per request."""
        now = self.clock.now()
        waited = now - asked.asked_at
        with self.database.read() as session:
            copies = commitments.copies(session, [uid for _, uid in asked.instances])
        destinations = {d.name: d for d in self.settings.destinations if d.originals}
        patience = timedelta(hours=self.settings.holding.commitment_patience_hours)
        standings = [
            standing(sop_class, copies.get(uid, ()), destinations, waited=waited, patience=patience).reason
            for sop_class, uid in asked.instances
        ]
        if None in standings:
            wait = LOOK_SECONDS if waited < timedelta(minutes=10) else LOOK_LATER_SECONDS
            with self.database.begin() as session:
                commitments.look_again(session, asked.id, at=now + timedelta(seconds=wait))
            return
        kept = [pair for pair, reason in zip(asked.instances, standings, strict=True) if not reason]
        failed = [(*pair, reason) for pair, reason in zip(asked.instances, standings, strict=True) if reason]
        peer = self._address(asked.calling_ae_title, asked.host)
        try:
            if peer is None:
                raise DeliveryError(f"{asked.calling_ae_title} has no port under node.peers any more")
            where = f"{asked.calling_ae_title} at {peer.host}:{peer.port}"
            if where in silent:
                raise DeliveryError(f"{where} did not answer a moment ago")
            try:
                report(peer, asked.transaction_uid, kept, failed, calling_ae_title=self.settings.node.ae_title)
            except Unreachable:
                silent.add(where)
                raise
        except DeliveryError as error:
            wait = TELL_SECONDS[min(asked.attempts, len(TELL_SECONDS) - 1)]
            next_at = now + timedelta(seconds=wait) if waited < patience + TELL_FOR else None
            logger.warning("%s could not be told of its storage commitment: %s", asked.calling_ae_title, error)
            with self.database.begin() as session:
                commitments.not_answered(session, asked, detail=str(error), next_at=next_at, at=now)
            return
        words = f"{len(kept)} kept for good, {len(failed)} not"
        with self.database.begin() as session:
            commitments.answered(session, asked, detail=words, at=self.clock.now())
        logger.log(logging.WARNING if failed else logging.INFO, "%s was told: %s", asked.calling_ae_title, words)

    def _address(self, calling_ae_title: str, host: str) -> Destination | None:
        """Return where a scanner takes results; None when nobody has said so."""
        known = [peer for peer in self.settings.node.peers if peer.ae_title == calling_ae_title]
        # several machines may share one AE title: the one that asked is told
        its_own = [peer for peer in known if peer.host is not None and is_address_of(host, peer.host)]
        anywhere = [peer for peer in known if peer.host is None]
        for peer in its_own + anywhere or known:
            if peer.port is not None:
                return Destination(
                    name="scanner",
                    ae_title=calling_ae_title,
                    host=peer.host or host,
                    port=peer.port,
                    tls=peer.tls,
                )
        return None
