"""What scanners and archives say decides when a series is judged, and what is missing is named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from qagate.domain.finding import FindingCode
from qagate.domain.series import StoredInstance
from qagate.domain.step import PerformedStep, StepState
from qagate.errors import Unreachable
from qagate.settings import Settings
from qagate.store import completion, reception, revisions
from qagate.store.database import Database
from qagate.store.tables import EventRow, RevisionRow, SeriesRow
from qagate.work import completing
from qagate.work.pipeline import _remarks
from qagate.work.sweeps import Sweeps
from tests.unit.work.test_sweeps import T0, HandClock, Ledger

PACS = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}


class FakeArchive:
    """Stands for an archive that has some instances."""

    holds: frozenset[str] | None = frozenset()
    asked = 0
    fetched: list[list[str]] = []  # noqa: RUF012

    def __init__(self, destination, calling_ae_title):
        self.destination = destination

    def count(self, study, series):
        FakeArchive.asked += 1
        if FakeArchive.holds is None:
            raise Unreachable("it is away")
        return len(FakeArchive.holds)

    def instances(self, study, series):
        return FakeArchive.holds

    def retrieve(self, study, series, uids, *, sop_class_uids, keep):
        FakeArchive.fetched.append(list(uids))
        return 0


@pytest.fixture
def archive(monkeypatch):
    monkeypatch.setattr(completing, "Archive", FakeArchive)
    FakeArchive.holds, FakeArchive.asked, FakeArchive.fetched = frozenset(), 0, []
    return FakeArchive


def sweeps_with(folder: Path, **destination: object) -> Sweeps:
    settings = Settings.model_validate(
        {
            "storage": {"data_dir": folder},
            "destinations": [{**PACS, **destination}],
            "completion": {"quiet_seconds": 10, "retrieve_tries": 2, "retrieve_seconds": 20, "missing_seconds": 60},
        }
    )
    return Sweeps(settings, Database.open(settings.database_url), Ledger(), HandClock())


@pytest.fixture
def sweeps(tmp_path, request):
    made = sweeps_with(tmp_path, **getattr(request, "param", {}))
    yield made
    made.database.close()


def arrive(sweeps: Sweeps, *numbers: int, association: str = "A1", aborted: bool = False) -> None:
    """Images come now, on one association that ends with them."""
    at = sweeps.clock.now()
    with sweeps.database.begin() as session:
        reception.open_association(
            session,
            association_id=association,
            calling_ae_title="CT1",
            called_ae_title="Q",
            host="h",
            receiver="r",
            at=at,
        )
        for n in numbers:
            one = StoredInstance(
                Path(f"/s/{n}"), f"1.{n}", "2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64, "CT1", at, association
            )
            reception.register(session, [one])
        reception.close_association(session, association_id=association, at=at, aborted=aborted)


def step(sweeps: Sweeps, *numbers: int, state: StepState = StepState.COMPLETED) -> None:
    said = PerformedStep("9.9", state, sweeps.clock.now(), "CT1", series={"1.2.3": tuple(f"1.{n}" for n in numbers)})
    with sweeps.database.begin() as session:
        assert completion.set_step(session, said) == "taken"


def later(sweeps: Sweeps, seconds: float) -> None:
    sweeps.clock.time += timedelta(seconds=seconds)


def swept(sweeps: Sweeps) -> tuple[str, list[RevisionRow]]:
    """Run the sweeps; return the state of the series and its revisions."""
    sweeps.completing.inquire()
    sweeps.completing.take_up()
    sweeps.complete()
    with sweeps.database.read() as session:
        rows = session.scalars(select(RevisionRow).order_by(RevisionRow.number)).all()
        return session.get_one(SeriesRow, "1.2.3").state, list(rows)


def judge(sweeps: Sweeps) -> None:
    """Let the newest revision be judged and reported."""
    with sweeps.database.begin() as session:
        latest = revisions.latest_revision(session, "1.2.3")
        latest.state = "reported"
        session.get_one(SeriesRow, "1.2.3").state = "delivered"


def test_a_complete_list_completes_at_once(sweeps):
    arrive(sweeps, 1, 2, 3)
    assert swept(sweeps)[0] == "receiving"
    step(sweeps, 1, 2, 3)
    state, (revision,) = swept(sweeps)
    assert (state, revision.completed_by, revision.expected, revision.missing) == ("queued", "mpps", 3, 0)


@pytest.mark.parametrize("numbers", [(1, 2), ()], ids=["in progress", "ended with an empty list"])
def test_a_step_that_is_in_progress_or_lists_nothing_says_nothing(sweeps, numbers):
    arrive(sweeps, 1)
    step(sweeps, *numbers, state=StepState.IN_PROGRESS if numbers else StepState.COMPLETED)
    later(sweeps, 10)
    _, (revision,) = swept(sweeps)
    assert (revision.completed_by, revision.expected, revision.missing) == ("association_closed", None, 0)


def test_what_the_list_names_and_never_comes_is_said(sweeps):
    arrive(sweeps, 1, 2)
    step(sweeps, 1, 2, 3, 4, 5)
    later(sweeps, 59)
    assert swept(sweeps)[0] == "receiving"
    later(sweeps, 1)
    _, (revision,) = swept(sweeps)
    assert (revision.expected, revision.missing, revision.expected_by) == (5, 3, "mpps")
    (finding,) = _remarks((), revision, gone=0)
    assert finding.code is FindingCode.INCOMPLETE_SERIES
    assert finding.detail == "3 of 5 images are missing, as the scanner's own list (MPPS) says."


def test_a_list_that_comes_after_the_verdict_opens_the_series_again(sweeps):
    arrive(sweeps, 1, 2)
    later(sweeps, 10)
    assert len(swept(sweeps)[1]) == 1
    judge(sweeps)
    step(sweeps, 1, 2, 3)
    assert swept(sweeps)[0] == "receiving"
    later(sweeps, 60)
    state, (_, second) = swept(sweeps)
    assert (state, second.expected, second.missing) == ("queued", 3, 1)
    judge(sweeps)
    arrive(sweeps, 3, association="A2")  # and then the third one
    state, rows = swept(sweeps)
    assert (state, rows[-1].completed_by, rows[-1].missing) == ("queued", "mpps", 0)
    assert len(rows) == 3


def test_a_list_that_agrees_with_the_verdict_changes_nothing(sweeps):
    arrive(sweeps, 1, 2)
    later(sweeps, 10)
    swept(sweeps)
    judge(sweeps)
    step(sweeps, 1, 2)
    state, rows = swept(sweeps)
    assert (state, len(rows)) == ("delivered", 1)


def test_a_sender_that_comes_back_after_the_verdict_heals_it(sweeps):
    arrive(sweeps, 1, 2, aborted=True)
    later(sweeps, 10)
    _, (first,) = swept(sweeps)
    assert first.broke_off
    judge(sweeps)
    later(sweeps, 5)
    arrive(sweeps, 1, 2, association="A2")  # everything again, nothing new
    state, rows = swept(sweeps)
    assert state in ("receiving", "queued")
    later(sweeps, 10)
    state, rows = swept(sweeps)
    assert (state, [row.broke_off for row in rows]) == ("queued", [True, False])


@pytest.mark.parametrize("sweeps", [{"counts": True}], indirect=True)
@pytest.mark.parametrize(
    ("holds", "completed_by", "expected"),
    [(frozenset({"1.1", "1.2"}), "archive", 2), (None, "association_closed", None)],
    ids=["it has as many", "it is away"],
)
def test_an_archive_has_its_say_once_the_series_is_quiet(sweeps, archive, holds, completed_by, expected):
    archive.holds = holds
    arrive(sweeps, 1, 2)
    later(sweeps, 9)
    assert swept(sweeps)[0] == "receiving"
    assert archive.asked == 0
    later(sweeps, 1)
    state, (revision,) = swept(sweeps)
    assert (state, revision.completed_by, revision.expected) == ("queued", completed_by, expected)
    assert archive.asked == 1


@pytest.mark.parametrize("sweeps", [{"counts": True, "retrieve": "c-move"}], indirect=True)
def test_what_the_archive_has_more_is_fetched_twice_and_then_said(sweeps, archive):
    archive.holds = frozenset({"1.1", "1.2", "1.3"})
    arrive(sweeps, 1, 2)
    later(sweeps, 10)
    for _ in range(60):
        state, rows = swept(sweeps)
        later(sweeps, 1)
    assert archive.fetched == [["1.3"], ["1.3"]]
    assert (state, rows[0].expected, rows[0].missing, rows[0].expected_by) == ("queued", 3, 1, "PACS")
    with sweeps.database.read() as session:
        said = session.scalars(select(EventRow.detail).where(EventRow.what == "retrieve")).all()
    assert said == ["PACS: 1 images by c-move"] * 2


@pytest.mark.parametrize("sweeps", [{"retrieve": "c-move"}], indirect=True)
def test_fetched_images_complete_the_list(sweeps, archive):
    archive.holds = frozenset({"1.2", "1.3", "1.9"})
    arrive(sweeps, 1, 2)
    step(sweeps, 1, 2, 3)
    later(sweeps, 10)
    swept(sweeps)
    assert archive.fetched == [["1.3"]]
    arrive(sweeps, 3, association="A2")
    state, (revision,) = swept(sweeps)
    assert (state, revision.completed_by, revision.missing) == ("queued", "mpps", 0)


def test_a_step_ends_once(sweeps):
    step(sweeps, 1)
    with sweeps.database.begin() as session:
        again = PerformedStep("9.9", StepState.COMPLETED, T0, series={"1.2.3": ("1.1", "1.2")})
        assert completion.set_step(session, again) == "ended"
        assert completion.create_step(session, again) == "known"
        found = completion.listed(session, "1.2.3")
    assert found is not None
    assert found.instances == {"1.1"}
