"""What peers say beside sending images: storage commitment, and the steps that scanners perform.

Each answer is a status, as pynetdicom wants it of its handlers. Source: PS3.4 Annex J and Annex F.7, PS3.7 10.1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from qagate.clock import Clock
from qagate.domain.status import NO_SUCH_ACTION, PROCESSING_FAILURE, SUCCESS, UNRECOGNISED_OPERATION
from qagate.domain.step import PerformedStep
from qagate.errors import QagateError
from qagate.receive import steps
from qagate.receive.sparing import SparingLog
from qagate.receive.steps import BadStep, OnStep

logger = logging.getLogger(__name__)


_REQUEST_STORAGE_COMMITMENT = 1  # the only action type, PS3.4 J.3.2


class Services:
    """Answers all that is no C-STORE. What records an answer is the caller's; without it the service is refused.

    peer: calling AE title and host of an association that was accepted.
    """

    def __init__(
        self,
        peer: Callable[[Any], tuple[str, str] | None],
        *,
        on_commitment: Callable[[Dataset, str], None] | None,
        on_commitment_request: Callable[[Dataset, str, str], int] | None,
        on_step: OnStep | None,
        clock: Clock,
        log: SparingLog,
    ) -> None:
        self._peer = peer
        self._promised = on_commitment
        self._asked = on_commitment_request
        self._stepped = on_step
        self._clock = clock
        self._log = log

    def commitment_request(self, event: Any) -> tuple[int, None]:
        """Answer an N-ACTION: may a peer delete what it sent? Source: PS3.4 J.3.2."""
        if self._asked is None:
            return UNRECOGNISED_OPERATION, None
        peer = self._peer(event.assoc)
        if event.action_type != _REQUEST_STORAGE_COMMITMENT:
            return NO_SUCH_ACTION, None
        if peer is None:
            return PROCESSING_FAILURE, None
        asked, (who, host) = self._asked, peer
        what = f"a storage commitment request of {who}"
        information = _decoded(what, lambda: event.action_information)
        if information is None:
            return PROCESSING_FAILURE, None
        return _recorded(what, lambda: asked(information, who, host)), None

    def commitment(self, event: Any) -> tuple[int, None]:
        """Take an N-EVENT-REPORT: an archive says what it keeps. Source: PS3.4 J.3.3."""
        if self._promised is None:
            return UNRECOGNISED_OPERATION, None
        promised, who = self._promised, self._title(event)
        what = f"a storage commitment result of {who}"
        information = _decoded(what, lambda: event.event_information)
        if information is None:
            return PROCESSING_FAILURE, None
        return _recorded(what, lambda: promised(information, who)), None

    def step_begun(self, event: Any) -> tuple[Dataset | int, Dataset | None]:
        """Answer an N-CREATE; a step without a UID gets one from us. Source: PS3.7 10.1.5.1.4."""
        uid = str(event.request.AffectedSOPInstanceUID or "")
        given = Dataset()
        if not uid:
            given.AffectedSOPInstanceUID = uid = str(generate_uid(prefix=None))
        said = _decoded("a performed procedure step", lambda: event.attribute_list)
        if said is None:
            return PROCESSING_FAILURE, None
        answer = self._step(event, lambda title, at: steps.begun(said, uid, title, at), begins=True)
        return answer, given or None

    def step_went_on(self, event: Any) -> tuple[Dataset | int, None]:
        """Answer an N-SET."""
        uid = str(event.request.RequestedSOPInstanceUID or "")
        said = _decoded("a performed procedure step", lambda: event.modification_list)
        if said is None:
            return PROCESSING_FAILURE, None
        return self._step(event, lambda title, at: steps.went_on(said, uid, title, at), begins=False), None

    def _step(self, event: Any, read: Callable[[str, datetime], PerformedStep], *, begins: bool) -> Dataset | int:
        if self._stepped is None:
            return UNRECOGNISED_OPERATION
        who = self._title(event)
        try:
            return steps.answer_of(self._stepped(read(who, self._clock.now()), begins))
        except BadStep as error:
            logger.warning("receive: a performed procedure step of %s is refused: %s", who, error)
            return error.status
        except QagateError as error:
            self._log.warn(("step",), f"receive: a performed procedure step of {who} could not be recorded: {error}")
        except Exception:  # top of this thread's work
            logger.exception("receive: a performed procedure step of %s could not be recorded", who)
        return PROCESSING_FAILURE

    def _title(self, event: Any) -> str:
        peer = self._peer(event.assoc)
        return peer[0] if peer is not None else ""


def _decoded(what: str, decode: Callable[[], Dataset]) -> Dataset | None:
    """Return the data set of a message, read to its last element; None, and a line in the log, when it is broken."""
    try:
        data_set = decode()
        for _ in data_set.iterall():
            pass
    except Exception as error:  # pydicom says in many ways that bytes are no data set
        logger.warning("receive: %s cannot be read, got %s", what, type(error).__name__)
        return None
    return data_set


def _recorded(what: str, record: Callable[[], int | None]) -> int:
    """Return the status that `record` gives, Success when it gives none, and a failure when it cannot."""
    try:
        status = record()
    except QagateError as error:
        logger.warning("receive: %s could not be recorded: %s", what, error)
        return PROCESSING_FAILURE
    except Exception:  # top of this thread's work
        logger.exception("receive: %s could not be recorded", what)
        return PROCESSING_FAILURE
    return SUCCESS if status is None else status
