from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from qagate.assemble.child import Decoders
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.series import StoredInstance
from qagate.domain.volume import SeriesVolumes
from qagate.errors import SpoolError
from qagate.prompt.rules import Rules
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.store import reception, revisions, workers
from qagate.store.database import Database
from qagate.work import ahead
from qagate.work.ahead import Ahead, Answer, Judge, Question

T0 = datetime(2026, 11, 22, 9, 40, tzinfo=UTC)
SERIES = "1.2.3"


class Counting(Judge):
    """Remembers what it was asked, and knows only empty answers."""

    def __init__(self) -> None:
        super().__init__(Settings(), cast(Rules, None), cast(Scorer, None), cast(Decoders, None))
        self.asked: list[Question] = []
        self.fault: Exception | None = None

    def _judged(self, question: Question) -> Answer:
        self.asked.append(question)
        if self.fault is not None:
            raise self.fault
        return Answer(SeriesVolumes(question.series_instance_uid, "", {}, 0, (), (), ()), ())


class HandClock:
    def __init__(self) -> None:
        self.time = T0

    def now(self) -> datetime:
        return self.time

    def monotonic_seconds(self) -> float:
        return 0.0


class Bench:
    """A worker's ahead over an empty database, with a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.model_validate({"storage": {"data_dir": folder}})
        self.database = Database.open(self.settings.database_url)
        self.clock = HandClock()
        self.judge = Counting()
        self.mark = folder / "worker-1.ahead"
        self.ahead = self.started()

    def started(self) -> Ahead:
        return Ahead(self.settings, self.database, self.clock, self.judge, executor_id="here:1", mark=self.mark)

    def arrive(self, number: int, association: str = "a", series: str = SERIES) -> None:
        path = self.folder / f"{series}-{number}.dcm"
        path.write_bytes(b"x")
        instance = StoredInstance(
            path, str(number), "2", "3", series, "1.2", "CT", 1, f"{number:064d}", "SCANNER", self.clock.time,
            association_id=association,
        )  # fmt: skip
        with self.database.begin() as session:
            reception.open_association(
                session, association_id=association, calling_ae_title="SCANNER", called_ae_title="QAGATE", host="h",
                receiver="r", at=self.clock.time,
            )  # fmt: skip
            reception.register(session, [instance])

    def close(self, association: str = "a", *, aborted: bool = False) -> None:
        with self.database.begin() as session:
            reception.close_association(session, association_id=association, at=self.clock.time, aborted=aborted)

    def after(self, seconds: float) -> list[str]:
        """Let time pass, look, and return the series that were judged since the beginning."""
        self.clock.time += timedelta(seconds=seconds)
        self.ahead.look()
        return [question.series_instance_uid for question in self.judge.asked]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


def question(**changes: object) -> Question:
    fields: dict[str, object] = {
        "series_instance_uid": SERIES,
        "calling_ae_title": "S",
        "paths": frozenset([Path("a")]),
    }
    return Question(**(fields | changes))  # type: ignore[arg-type]


REMARK = Finding(FindingCode.INCOMPLETE_SERIES, Severity.MODERATE, "one image is missing")


@pytest.mark.parametrize(
    ("asked", "again"),
    [
        (question(), False),
        (question(paths=frozenset([Path("a"), Path("b")])), True),
        (question(remarks=(REMARK,)), True),
        (question(calling_ae_title="OTHER"), True),
        (question(series_instance_uid="9"), True),
    ],
)
def test_a_prepared_answer_is_given_to_the_same_question_only(asked: Question, again: bool) -> None:
    judge = Counting()
    judge.prepare(question())
    judge.answer(asked)
    assert len(judge.asked) == (2 if again else 1)


def test_an_answer_is_given_once_and_can_be_forgotten() -> None:
    judge = Counting()
    judge.prepare(question())
    judge.answer(question())
    judge.answer(question())
    assert len(judge.asked) == 2
    judge.prepare(question())
    judge.forget(but=frozenset([SERIES]))
    judge.answer(question())
    assert len(judge.asked) == 3
    judge.prepare(question())
    judge.forget()
    judge.answer(question())
    assert len(judge.asked) == 5


def test_a_series_is_judged_ahead_once_it_has_settled_and_again_when_more_comes(bench: Bench) -> None:
    bench.arrive(1)
    assert bench.after(5) == []  # its association is open
    bench.close()
    assert bench.after(0.5) == []
    assert bench.after(1) == [SERIES]
    assert bench.after(1) == [SERIES]
    bench.arrive(2, "b")
    bench.close("b")
    assert bench.after(2) == [SERIES, SERIES]
    assert [len(asked.paths) for asked in bench.judge.asked] == [1, 2]
    assert not bench.mark.exists()


@pytest.mark.parametrize(("quiet_seconds", "settled"), [(0.4, 0.1), (2, 0.5), (10, 1.0), (60, 1.0)])
def test_a_series_has_settled_after_a_quarter_of_a_short_quiet_time(
    bench: Bench, quiet_seconds: float, settled: float
) -> None:
    said = {"storage": {"data_dir": bench.folder}, "completion": {"quiet_seconds": quiet_seconds}}
    bench.settings = Settings.model_validate(said)
    bench.ahead = bench.started()
    bench.arrive(1)
    bench.close()
    assert bench.after(settled - 0.01) == []
    assert bench.after(0.01) == [SERIES]


def test_what_its_journey_asks_is_what_was_prepared(bench: Bench) -> None:
    bench.arrive(1)
    bench.close()
    assert bench.after(2) == [SERIES]
    with bench.database.begin() as session:
        revision = revisions.close_series(session, SERIES, completed_by="quiet", at=bench.clock.time)
        assert revision is not None
        paths = reception.spool_paths(session, SERIES, revision.number)
    bench.judge.answer(Question(SERIES, "SCANNER", frozenset(paths)))
    assert len(bench.judge.asked) == 1


def test_nothing_is_judged_ahead_while_something_waits_to_be_judged(bench: Bench) -> None:
    bench.arrive(1, series="7.7")
    bench.close()
    with bench.database.begin() as session:
        revisions.close_series(session, "7.7", completed_by="quiet", at=bench.clock.time)
    bench.arrive(2, "b")
    bench.close("b")
    assert bench.after(3) == []


def test_nothing_is_judged_ahead_that_another_worker_might_get(bench: Bench) -> None:
    with bench.database.begin() as session:
        workers.beat(session, "here:1", device="cpu", at=T0)
        workers.beat(session, "there:1", device="cpu", at=T0)
    bench.arrive(1)
    bench.close()
    assert bench.after(3) == []
    with bench.database.begin() as session:
        workers.remove(session, "there:1")
    assert bench.after(1) == [SERIES]


def test_a_sender_that_broke_off_is_waited_for(bench: Bench) -> None:
    bench.arrive(1)
    bench.close(aborted=True)
    assert bench.after(5) == []


def test_very_large_series_are_left_to_their_journey(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MOST_BYTES", 1)
    bench.arrive(1)
    bench.arrive(2)
    bench.close()
    assert bench.after(5) == []


def test_a_fault_is_left_to_the_journey_and_a_series_that_ended_the_worker_is_not_judged_ahead_again(
    bench: Bench,
) -> None:
    bench.arrive(1)
    bench.close()
    bench.judge.fault = SpoolError("a fault")
    with pytest.raises(SpoolError):
        bench.after(2)
    assert not bench.mark.exists()
    bench.judge.fault = None
    assert bench.after(2) == [SERIES]  # not tried again

    bench.mark.write_text(SERIES)  # as a worker leaves it that was killed meanwhile
    bench.ahead = bench.started()
    assert bench.after(2) == [SERIES]
    bench.arrive(1, "b", series="8.8")
    bench.close("b")
    assert bench.after(2) == [SERIES, "8.8"]
