"""A PACS that misbehaves as told, and remembers what it took and how often."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydicom.dataset import Dataset
from pynetdicom import AE

from qagate.demo.pacs import MiniPacs
from qagate.domain.status import NO_SUCH_OBJECT, PROCESSING_FAILURE, SUCCESS

DUPLICATE = 0x0111


class Pacs(MiniPacs):
    """A MiniPacs that can answer with another status, break off, or keep silent.

    `answer`: status instead of Success (the object is kept with Success, 0x0111 and warnings 0xBxxx).
    `abort_after`: aborts each association after so many objects. `silent`: takes objects and never answers.
    `refused`: SOP class → status for all of its objects. `delay_seconds`: before each answer. `commitment`: promises;
    fails (says that it has nothing); refuses the request; never answers. `only_called`: rejects associations that call
    it otherwise. `without`: SOP classes that it does not take, from the next start on.
    """

    def __init__(self, port: int, folder: Path, **named: Any) -> None:
        super().__init__(port, folder, **named)
        self.answer = 0
        self.answers: list[int] = []  # statuses for the next objects, before `answer` holds again
        self.abort_after: int | None = None
        self.silent = threading.Event()
        self.stopped = threading.Event()
        self.asked: Counter[str] = Counter()
        self.refused: dict[str, int] = {}
        self.delay_seconds = 0.0
        self.commitment: Literal["promises", "fails", "refuses", "never"] = "promises"
        self.commitments_asked = 0
        self.only_called = ""
        self.without: tuple[str, ...] = ()

    def start(self) -> None:
        """Listen."""
        self.stopped.clear()
        super().start()

    def stop(self) -> None:
        """Stop; whoever waits for an answer is let go."""
        self.stopped.set()
        super().stop()

    def restart(self) -> None:
        """Stop, and listen again."""
        self.stop()
        self.start()

    def well(self) -> None:
        """Misbehave no longer."""
        self.answer, self.answers, self.abort_after, self.delay_seconds = 0, [], None, 0.0
        self.refused = {}
        self.commitment = "promises"
        self.silent.clear()
        if self.only_called or self.without:
            self.only_called, self.without = "", ()
            self.restart()
        if self._server is None:
            self.start()

    def _entity(self) -> AE:
        entity = super()._entity()
        if self.only_called:
            entity.ae_title = self.only_called
            entity.require_called_aet = True
        for uid in self.without:
            entity.remove_supported_context(uid)
        return entity

    def _store(self, event: Any) -> int:
        self.asked[str(event.request.AffectedSOPInstanceUID)] += 1
        if self._keeps_silent():
            event.assoc.abort()
            return 0xA700
        self.stopped.wait(self.delay_seconds)
        status = self.answers.pop(0) if self.answers else self.answer
        status = self.refused.get(str(event.request.AffectedSOPClassUID), status)
        kept = 0
        if status in (SUCCESS, DUPLICATE) or 0xB000 <= status <= 0xBFFF:
            kept = super()._store(event)
        if self.abort_after is not None:
            count = getattr(event.assoc, "objects_taken", 0) + 1
            event.assoc.objects_taken = count
            if count >= self.abort_after:
                event.assoc.abort()
        return kept or status

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if self._keeps_silent():
            yield 0xA700, None
            return
        yield from super()._find(event)

    def _keeps_silent(self) -> bool:
        silent = self.silent.is_set()
        while self.silent.is_set() and not self.stopped.wait(0.1):
            pass
        return silent

    def _commit(self, event: Any) -> tuple[int, None]:
        self.commitments_asked += 1
        match self.commitment:
            case "promises":
                return super()._commit(event)
            case "refuses":
                return PROCESSING_FAILURE, None
            case "fails":
                answer = Dataset()
                answer.TransactionUID = event.action_information.TransactionUID
                answer.FailedSOPSequence = []
                for item in event.action_information.ReferencedSOPSequence:
                    failed = Dataset()
                    failed.ReferencedSOPClassUID = item.ReferencedSOPClassUID
                    failed.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
                    failed.FailureReason = NO_SUCH_OBJECT
                    answer.FailedSOPSequence.append(failed)
                threading.Thread(
                    target=self._report_commitment, args=(answer, 2, str(event.assoc.requestor.ae_title)), daemon=True
                ).start()
        return 0x0000, None


def wait_until(condition: Any, seconds: float = 30) -> bool:
    """Wait for something that is in this process; whether it came."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())
