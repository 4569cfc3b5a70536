"""Objects that come by HTTP: the parts of a STOW-RS request, each into the spool as it ends. Source: PS3.18 10.5.

The promise is that of C-STORE: an object is answered as stored once it would survive a power cut.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from qagate.clock import Clock
from qagate.domain.series import StoredInstance
from qagate.domain.status import CANNOT_UNDERSTAND, OUT_OF_RESOURCES
from qagate.errors import InputError, NotDicom, QagateError, SpoolError, TooLarge
from qagate.receive import part10
from qagate.receive.header import read_header
from qagate.receive.incoming import Incoming
from qagate.receive.part10 import FileMeta
from qagate.receive.spool import Spool

# failure reasons, PS3.18 10.5.3 and PS3.4 B.2.3
WRONG_STUDY = 0xA900

MAX_PARTS = 100_000
_HEAD_BYTES = 1 << 17  # file meta information ends well before this


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one part. failure: None when it is in the spool, else the reason as in PS3.18."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    failure: int | None = None
    words: str = ""


class Parts:
    """Takes a multipart body in pieces of any size; `taken` tells what became of each part so far.

    study_instance_uid: of the address; "" when any study may come. Objects of other studies are refused one by one.
    """

    def __init__(
        self,
        boundary: str,
        spool: Spool,
        clock: Clock,
        *,
        sender: str,
        receiver: str,
        association_id: str,
        max_object_bytes: int,
        study_instance_uid: str = "",
        on_stored: Callable[[StoredInstance], None],
    ) -> None:
        self.taken: list[Taken] = []
        self._spool = spool
        self._clock = clock
        self._sender = sender
        self._receiver = receiver
        self._association_id = association_id
        self._study = study_instance_uid
        self._on_stored = on_stored
        self._ended = False
        self._incoming = Incoming(spool.root, max_object_bytes, spool.free_bytes)
        callbacks: dict[str, Any] = {
            "on_part_begin": self._incoming.clear,
            "on_part_data": self._data,
            "on_part_end": self._part_ended,
            "on_end": self._all_ended,
        }
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body. Raises InputError when it is no multipart body."""
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise InputError(f"the body must be multipart/related with the boundary it names: {error}") from None
        if len(self.taken) > MAX_PARTS:
            raise InputError(f"one request may hold at most {MAX_PARTS} objects; send the rest in another")

    def end(self) -> Sequence[Taken]:
        """Return what became of all parts. Raises InputError when the body broke off or held none."""
        self._incoming.clear()
        if not self._ended:
            raise InputError(f"the body broke off after {len(self.taken)} whole objects; those are kept")
        if not self.taken:
            raise InputError("the body must hold at least one object of type application/dicom, got none")
        return self.taken

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._incoming.add(data[start:end])

    def _all_ended(self) -> None:
        self._ended = True

    def _part_ended(self) -> None:
        try:
            with self._incoming.taken() as file:
                self.taken.append(self._store(file))
        except (SpoolError, TooLarge) as error:
            self.taken.append(Taken(failure=OUT_OF_RESOURCES, words=str(error)))
        except QagateError as error:
            self.taken.append(Taken(failure=CANNOT_UNDERSTAND, words=str(error)))

    def _of_another_study(self, data_set: memoryview, meta: FileMeta) -> Taken | None:
        study = read_header(data_set, meta.transfer_syntax_uid).study_instance_uid
        if study == self._study:
            return None
        words = f"the object must belong to the study it is sent to, got {study or 'none'}"
        return Taken(meta.sop_class_uid, meta.sop_instance_uid, study, WRONG_STUDY, words)

    def _store(self, file: bytes | memoryview) -> Taken:
        meta, offset = part10.decode(io.BytesIO(bytes(file[:_HEAD_BYTES])))
        if not (meta.transfer_syntax_uid and meta.sop_instance_uid and len(file) > offset):
            raise NotDicom("an object must name its transfer syntax and SOP Instance UID and hold a data set")
        with memoryview(file) as view:
            data_set = view[offset:]
            try:
                if self._study and (refused := self._of_another_study(data_set, meta)):
                    return refused
                stored = self._spool.store(
                    data_set,
                    sop_class_uid=meta.sop_class_uid,
                    sop_instance_uid=meta.sop_instance_uid,
                    transfer_syntax_uid=meta.transfer_syntax_uid,
                    calling_ae_title=self._sender,
                    called_ae_title=self._receiver,
                    received_at=self._clock.now(),
                    association_id=self._association_id,
                )
            finally:
                data_set.release()
        self._on_stored(stored)
        return Taken(stored.sop_class_uid, stored.sop_instance_uid, stored.study_instance_uid)
