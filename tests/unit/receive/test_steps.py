"""A scanner tells what it has made; pynetdicom is the scanner."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from qagate.domain.step import PerformedStep
from qagate.errors import StoreError
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.receive.steps import MPPS
from qagate.settings import Node, Peer
from tests.unit.receive.scanner import associate

UID = "1.2.77.1"


class Book:
    """Stands for the database."""

    def __init__(self) -> None:
        self.steps: list[tuple[PerformedStep, bool]] = []
        self.answer = "taken"
        self.error: Exception | None = None

    def __call__(self, step: PerformedStep, begins: bool) -> str:
        if self.error is not None:
            raise self.error
        self.steps.append((step, begins))
        return self.answer


@pytest.fixture
def book(tmp_path):
    """A receiver on a free port, the scanner's association with it, and what it was told."""
    book = Book()
    node = Node(host="127.0.0.1", peers=(Peer(ae_title="SCANNER"),)).model_copy(update={"port": 0})
    receiver = Receiver(node, Spool(tmp_path, 0), lambda i: None, lambda e: None, on_step=book)
    with receiver:
        book.association = associate(receiver.port, MPPS)
        yield book
        book.association.release()


def creation(status: str = "IN PROGRESS") -> Dataset:
    said = Dataset()
    scheduled = Dataset()
    scheduled.StudyInstanceUID = "1.2"
    said.ScheduledStepAttributesSequence = [scheduled]
    said.PatientName = "Doe^Jane"
    said.PerformedStationName = "CT1"
    said.Modality = "CT"
    said.PerformedProcedureStepStatus = status
    said.PerformedSeriesSequence = []
    return said


def ending(status: str, *series: tuple[str, list[str]]) -> Dataset:
    said = Dataset()
    said.PerformedProcedureStepStatus = status
    said.PerformedSeriesSequence = []
    for uid, instances in series:
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedImageSequence = []
        for instance in instances:
            reference = Dataset()
            reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            reference.ReferencedSOPInstanceUID = instance
            item.ReferencedImageSequence.append(reference)
        said.PerformedSeriesSequence.append(item)
    return said


def test_a_step_is_begun_and_ended_with_the_images_of_each_series(book):
    status, _ = book.association.send_n_create(creation(), MPPS, UID)
    assert status.Status == 0
    status, _ = book.association.send_n_set(
        ending("COMPLETED", ("1.2.3", ["1.2.3.1", "1.2.3.2", "1.2.3.2"]), ("1.2.4", ["1.2.4.1"])), MPPS, UID
    )
    assert status.Status == 0
    (begun, begins), (ended, begins_again) = book.steps
    assert (begins, begins_again) == (True, False)
    assert (begun.state, begun.study_instance_uid, begun.station_name, begun.calling_ae_title) == (
        "IN PROGRESS",
        "1.2",
        "CT1",
        "SCANNER",
    )
    assert ended.state == "COMPLETED"
    assert ended.series == {"1.2.3": ("1.2.3.1", "1.2.3.2"), "1.2.4": ("1.2.4.1",)}
    assert "Doe" not in repr(book.steps)  # nothing of the patient is kept


def test_why_a_step_was_discontinued(book):
    said = ending("DISCONTINUED", ("1.2.3", ["1.2.3.1"]))
    reason = Dataset()
    reason.CodeValue, reason.CodingSchemeDesignator, reason.CodeMeaning = "110514", "DCM", "Incorrect worklist entry"
    said.PerformedProcedureStepDiscontinuationReasonCodeSequence = [reason]
    assert book.association.send_n_set(said, MPPS, UID)[0].Status == 0
    assert book.steps[0][0].reason == "110514 Incorrect worklist entry"


# PS3.4 F.7.2: what the answers are to messages that are not as they must be
@pytest.mark.parametrize(
    ("said", "status"),
    [(creation("COMPLETED"), 0x0106), (creation("FINISHED"), 0x0106), (creation(""), 0x0120)],
    ids=["begins at its end", "no such word", "without a word"],
)
def test_a_step_that_does_not_begin_as_in_progress_is_refused(book, said, status):
    assert book.association.send_n_create(said, MPPS, UID)[0].Status == status
    assert book.steps == []


def test_a_step_without_a_uid_gets_one(book):
    status, _ = book.association.send_n_create(creation(), MPPS, None)
    assert status.Status == 0
    assert book.steps[0][0].sop_instance_uid.startswith("2.25.")


def test_what_was_ended_does_not_change_and_what_is_known_does_not_begin_again(book):
    book.answer = "known"
    assert book.association.send_n_create(creation(), MPPS, UID)[0].Status == 0x0111
    book.answer = "ended"
    status, _ = book.association.send_n_set(ending("COMPLETED"), MPPS, UID)
    assert (status.Status, status.get("ErrorID")) == (0x0110, 0xA710)


def test_a_database_that_is_away_is_a_failure_that_the_scanner_may_try_again(book):
    book.error = StoreError("away")
    assert book.association.send_n_create(creation(), MPPS, UID)[0].Status == 0x0110
    book.error = None
    assert book.association.send_n_create(creation(), MPPS, UID)[0].Status == 0
