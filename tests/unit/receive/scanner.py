"""A sender for the tests of the receiver, and a receiver that remembers what it was told."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from qagate.deliver.peer import Requestor
from qagate.domain.series import StoredInstance
from qagate.receive.server import AssociationEvent, Receiver
from qagate.receive.spool import Spool
from qagate.settings import Node, Peer


def make_object(sop_instance_uid: str = "1.2.3.1", series_instance_uid: str = "1.2.3", **more: Any) -> Dataset:
    """Return a small CT object."""
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = more.pop("transfer_syntax_uid", ExplicitVRLittleEndian)
    data_set.SOPClassUID = CTImageStorage
    data_set.SOPInstanceUID = sop_instance_uid
    data_set.Modality = "CT"
    data_set.PatientName = "Doe^Jane"
    data_set.PatientID = "SECRET42"
    data_set.StudyInstanceUID = "1.2"
    data_set.SeriesInstanceUID = series_instance_uid
    for keyword, value in more.items():
        setattr(data_set, keyword, value)
    return data_set


class Told:
    """What a receiver told: instances and association events, in order."""

    def __init__(self) -> None:
        self.instances: list[StoredInstance] = []
        self.events: list[AssociationEvent] = []
        self.commitments: list[tuple[Dataset, str]] = []
        self.on_stored: Callable[[StoredInstance], None] = self.instances.append

    def closed(self, count: int = 1, seconds: float = 10) -> list[AssociationEvent]:
        """Wait for that many ended associations and return them."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [event for event in self.events if not event.opened]
            if len(found) >= count:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{count} associations should have ended, got {self.events}")


@contextmanager
def receiving(folder: Path, *, reserve_bytes: int = 0, **node: Any) -> Iterator[tuple[Receiver, Told]]:
    """Run a receiver on a free port; SCANNER may send to it unless told otherwise."""
    told = Told()
    settings = Node(**{"host": "127.0.0.1", "peers": (Peer(ae_title="SCANNER"),), **node})
    settings = settings.model_copy(update={"port": node.get("port", 0)})
    receiver = Receiver(
        settings,
        Spool(folder, reserve_bytes),
        lambda instance: told.on_stored(instance),
        told.events.append,
        on_commitment=lambda information, peer: told.commitments.append((information, peer)),
    )
    with receiver:
        yield receiver, told


def associate(
    port: int, *contexts: Any, calling: str = "SCANNER", called: str = "QAGATE", timeout_seconds: float = 10
) -> Association:
    """Request an association; contexts are SOP classes, or (SOP class, transfer syntaxes)."""
    entity = Requestor(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = timeout_seconds
    proposed = [
        build_context(*context) if isinstance(context, tuple) else build_context(context) for context in contexts
    ]
    return entity.associate("127.0.0.1", port, contexts=proposed, ae_title=called)


def send(port: int, *objects: Dataset, calling: str = "SCANNER") -> list[int]:
    """Store objects in one association and release it; return the statuses."""
    contexts = {(str(each.SOPClassUID), str(each.file_meta.TransferSyntaxUID)): None for each in objects}
    association = associate(port, *contexts, calling=calling)
    assert association.is_established
    statuses = [int(association.send_c_store(each).Status) for each in objects]
    association.release()
    return statuses


def silent_clients(port: int, count: int) -> list[socket.socket]:
    """Connect and say nothing."""
    return [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(count)]


def found_in(spool: Spool, known: Container[str] = frozenset()) -> list[StoredInstance]:
    """Return every object in a spool, rebuilt from its file alone, series by series."""
    return [instance for folder in spool.folders() for instance in spool.adopt_folder(folder, known)]


def tidied(spool: Spool, older_than_seconds: float = -1) -> int:
    """Remove what writers left behind in a spool; returns how many files."""
    return sum(spool.remove_temporary(folder, older_than_seconds) for folder in spool.folders())
