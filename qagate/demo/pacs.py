"""A PACS as small as can be: takes everything, keeps it in a folder, answers C-ECHO, C-FIND and storage commitment."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_role, evt
from pynetdicom.transport import ThreadedAssociationServer

from qagate.demo.shelf import Shelf, StoredObject
from qagate.domain.status import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, PENDING, SUCCESS

log = logging.getLogger(__name__)

# SOP classes, PS3.6 table A-1
VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"


class MiniPacs:
    """A storage SCP that keeps everything; `with` starts and stops it.

    port 0 takes a free one; `port` says which. commitment_peer: where to send the answer to a commitment request, as
    (host, port); without it the request is taken and never
    answered.
    """

    def __init__(
        self,
        port: int,
        folder: Path,
        ae_title: str = "MINIPACS",
        *,
        host: str = "127.0.0.1",
        commitment_peer: tuple[str, int] | None = None,
    ) -> None:
        self.folder, self.ae_title, self.host, self.port = folder, ae_title, host, port
        self.commitment_peer = commitment_peer
        self._shelf = Shelf(folder)
        self._server: ThreadedAssociationServer | None = None
        self._answers: list[threading.Thread] = []

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entity = self._entity()
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, _no_delay),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_N_ACTION, self._commit),
        ]
        server = entity.start_server((self.host, self.port), block=False, evt_handlers=handlers)
        assert server is not None  # block=False gives one
        self._server = server
        self.port = int(server.server_address[1])

    def _entity(self) -> AE:
        entity = AE(ae_title=self.ae_title)
        entity.maximum_pdu_size = 131072
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
        entity.add_supported_context(VERIFICATION)
        entity.add_supported_context(STUDY_ROOT_FIND)
        entity.add_supported_context(COMMITMENT)
        return entity

    def stop(self) -> None:
        """Stop listening; what was stored stays in the folder."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None
        for answer in self._answers:
            answer.join(timeout=10)

    def __enter__(self) -> MiniPacs:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def objects(self) -> tuple[StoredObject, ...]:
        """Return what it holds, in the order of arrival."""
        return self._shelf.objects()

    def _store(self, event: evt.Event) -> int:
        try:
            # preamble and file meta information included, data set as it came
            stored = self._shelf.keep(event.encoded_dataset())
        except (InvalidDicomError, EOFError, ValueError, AttributeError):
            return CANNOT_UNDERSTAND
        except OSError as error:
            log.warning("mini PACS cannot write to %s: %s", self.folder, error.strerror)
            return OUT_OF_RESOURCES
        log.debug("stored one %s", stored.kind)
        return SUCCESS

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        """Answer at study, series and image level; matching by UID, modality and accession number. PS3.4 C.4.1."""
        asked = event.identifier
        level = str(asked.get("QueryRetrieveLevel", "STUDY"))
        key = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}.get(level)
        if key is None:
            yield 0xA900, None
            return
        answered: set[str] = set()
        for stored in self.objects():
            try:
                held = dcmread(stored.path, stop_before_pixels=True)
            except (InvalidDicomError, OSError):
                continue
            own = str(held.get(key, ""))
            if own in answered or not _matches(asked, held, level):
                continue
            answered.add(own)
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            answer.RetrieveAETitle = self.ae_title
            for element in asked:
                if element.keyword in held and element.VR != "SQ":
                    answer[element.tag] = held[element.tag]
            if "SpecificCharacterSet" in held:
                answer.SpecificCharacterSet = held.SpecificCharacterSet
            setattr(answer, key, own)
            yield PENDING, answer

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        """Take a commitment request; the answer goes out on an association of its own. PS3.4 J.3."""
        asked = event.action_information
        held = {stored.sop_instance_uid for stored in self.objects()}
        answer = Dataset()
        answer.TransactionUID = asked.TransactionUID
        good, bad = [], []
        for item in asked.get("ReferencedSOPSequence") or []:
            reply = Dataset()
            reply.ReferencedSOPClassUID = item.ReferencedSOPClassUID
            reply.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
            if str(item.ReferencedSOPInstanceUID) in held:
                good.append(reply)
            else:
                reply.FailureReason = 0x0112
                bad.append(reply)
        if good:
            answer.ReferencedSOPSequence = good
        if bad:
            answer.FailedSOPSequence = bad
        if self.commitment_peer is not None:
            called = str(event.assoc.requestor.ae_title)
            thread = threading.Thread(
                target=self._report_commitment, args=(answer, 2 if bad else 1, called), daemon=True
            )
            self._answers.append(thread)
            thread.start()
        return SUCCESS, None

    def _report_commitment(self, answer: Dataset, event_type: int, called: str) -> None:
        assert self.commitment_peer is not None
        entity = AE(ae_title=self.ae_title)
        entity.add_requested_context(COMMITMENT, ImplicitVRLittleEndian)
        role = build_role(COMMITMENT, scu_role=True, scp_role=True)
        host, port = self.commitment_peer
        association = entity.associate(host, port, ae_title=called, ext_neg=[role])
        if not association.is_established:
            log.warning("mini PACS: %s at %s:%d did not take the commitment report", called, host, port)
            return
        try:
            association.send_n_event_report(answer, event_type, COMMITMENT, COMMITMENT_INSTANCE)
        except (ValueError, RuntimeError) as error:
            log.warning("mini PACS: commitment report not sent: %s", type(error).__name__)
        finally:
            association.release()


def _matches(asked: Dataset, held: Dataset, level: str) -> bool:
    for element in asked:
        wanted = element.value
        if not wanted or element.VR == "SQ" or element.keyword in ("QueryRetrieveLevel", "SpecificCharacterSet"):
            continue
        if level == "STUDY" and element.keyword in ("Modality", "SeriesInstanceUID"):
            continue
        own = str(held.get(element.keyword, ""))
        options = [str(v) for v in wanted] if element.VM > 1 else [str(wanted)]
        if not any(fnmatchcase(own, option) for option in options):
            return False
    return True


def _no_delay(event: evt.Event) -> None:
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
