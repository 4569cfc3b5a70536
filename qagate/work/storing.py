"""Objects that come by HTTP, noted as those that come by C-STORE: one request is one association."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from qagate.clock import Clock, SystemClock
from qagate.receive.association import AssociationEvent
from qagate.receive.spool import Spool
from qagate.receive.stow import Parts
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.store.routing import Routing
from qagate.work.receiving import Registrar


@dataclass(frozen=True, slots=True)
class Storing:
    """What a web process needs to take objects; open it once, close it at the end."""

    settings: Settings
    spool: Spool
    registrar: Registrar
    clock: Clock

    @staticmethod
    def open(settings: Settings, database: Database) -> Storing:
        """Begin to note objects in the database. Raises SpoolError when the spool cannot be made."""
        clock = SystemClock()
        spool = Spool(settings.spool_dir, settings.storage.reserve_mb << 20)
        # the port tells pages on one machine apart: each closes what one of its name left open when it died
        name = f"{socket.gethostname()}:stow-{settings.web.port}"
        registrar = Registrar(database, spool, clock, receiver=name, routing=Routing.of(settings))
        registrar.start()
        return Storing(settings, spool, registrar, clock)

    def close(self) -> None:
        """Note what is left."""
        self.registrar.stop()

    @contextmanager
    def request(self, boundary: str, *, sender: str, host: str, study_instance_uid: str) -> Iterator[Parts]:
        """Open one request: its series are complete some time after it ends, as after an association.

        sender: 1 to 16 characters. A request that breaks off counts as an aborted association.
        """
        identifier = uuid.uuid4().hex
        title = self.settings.node.ae_title
        opened = AssociationEvent(identifier, sender, title, host, opened=True, at=self.clock.now())
        self.registrar.association(opened)
        aborted = True
        try:
            yield Parts(
                boundary,
                self.spool,
                self.clock,
                sender=sender,
                receiver=title,
                association_id=identifier,
                max_object_bytes=self.settings.storage.max_object_mb << 20,
                study_instance_uid=study_instance_uid,
                on_stored=self.registrar.stored,
            )
            aborted = False
        finally:
            self.registrar.association(replace(opened, opened=False, aborted=aborted, at=self.clock.now()))
