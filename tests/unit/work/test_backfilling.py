"""Backfilling against an archive that is played: resume, rate, window, faults, and nothing told to anybody."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from sqlalchemy import select

from qagate.clock import SystemClock
from qagate.deliver.archive import ArchivedSeries
from qagate.domain.backfill import SIGNAL, Progress, Query, Window
from qagate.errors import DeliveryRefused, InputError, SettingsError, Unreachable
from qagate.receive.spool import Spool
from qagate.settings import Settings
from qagate.store import backfills, pace, reception, revisions
from qagate.store.database import Database
from qagate.store.routing import Route, Routing
from qagate.store.tables import BackfillSeriesRow, ForwardRow, RevisionRow, SeriesRow
from qagate.work import backfilling
from qagate.work.archived import destination_for, study_time
from qagate.work.backfilling import Backfilling, Manner
from qagate.work.completing import Completing
from qagate.work.receiving import Registrar
from tests.crash.sending import ROOT, series

DAY = date(2004, 8, 26)
PACS = {"name": "pacs", "ae_title": "ARCHIVE", "host": "127.0.0.1", "port": 104, "retrieve": "c-get"}


def part10(image: Dataset) -> bytes:
    buffer = io.BytesIO()
    image.save_as(buffer)
    return buffer.getvalue()


@dataclass
class Held:
    """An archive that is played: what it holds, how often it was asked, and what goes wrong."""

    images: dict[str, list[Dataset]]
    asked: Counter[str] = field(default_factory=Counter)
    faults: list[Exception] = field(default_factory=list)
    loses: int = 0
    after: Callable[[], None] = lambda: None

    def instances(self, study: str, uid: str) -> frozenset[str]:
        return frozenset(str(image.SOPInstanceUID) for image in self.images[uid])

    def series_of(self, day: str, modalities: Sequence[str] = ()) -> tuple[ArchivedSeries, ...]:
        self.asked[day] += 1
        return tuple(
            ArchivedSeries(
                str(images[0].StudyInstanceUID), uid, "MR", str(images[0].SeriesDescription), day, "185059", len(images)
            )
            for uid, images in self.images.items()
            if str(images[0].StudyDate) == day
        )

    def retrieve(self, study: str, uid: str, uids: Sequence[str], *, sop_class_uids: Any, keep: Any) -> int:
        self.asked[uid] += 1
        wanted = [image for image in self.images[uid] if image.SOPInstanceUID in uids]
        for image in wanted[: len(wanted) - self.loses]:
            keep(part10(image))
            self.after()
        if self.faults:
            raise self.faults.pop(0)
        return len(wanted)


@dataclass
class Bench:
    settings: Settings
    database: Database
    archive: Held
    said: list[Progress] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def make(self, manner: Manner = Manner(), name: str = "b", report: bool = False) -> Backfilling:  # noqa: B008
        with self.database.begin() as session:
            row, _ = backfills.begin(
                session, name, destination="pacs", query=Query(DAY, DAY), report=report, at=datetime.now(UTC)
            )
        made = Backfilling(
            self.settings, self.database, SystemClock(), row, destination_for(self.settings, "pacs", None), manner,
            self.said.append,
        )  # fmt: skip
        made._archive = self.archive  # type: ignore[assignment]
        return made

    def run(self, backfill: Backfilling, most: int = 40) -> Progress:
        """Go on without waiting, and judge what waits for it."""
        bench = self

        class Told(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                bench.waits.append(timeout or 0)
                bench.judge()
                if len(bench.waits) >= most:
                    self.set()
                return self.is_set()

        return backfill.run(Told())

    def judge(self) -> None:
        with self.database.begin() as session:
            for revision in revisions.queued(session):
                revision.assessed_at = datetime.now(UTC)
                revisions.record_documents(session, revision.id, [], destinations=[], at=datetime.now(UTC))

    def states(self) -> list[tuple[str, int]]:
        with self.database.read() as session:
            rows = session.scalars(select(BackfillSeriesRow).order_by(BackfillSeriesRow.id))
            return [(row.state, row.attempts) for row in rows]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(backfilling, "WAITS_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(backfilling, "NOTE_SECONDS", 0.0)
    monkeypatch.setattr(backfilling, "echo", lambda *_: 1.0)
    settings = Settings.model_validate(
        {"storage": {"data_dir": tmp_path, "reserve_mb": 0}, "destinations": [PACS], "completion": {"quiet_seconds": 0}}
    )
    database = Database.open(settings.database_url)
    yield Bench(settings, database, Held({f"{ROOT}.{n}.1": series(n, 2) for n in (1, 2, 3)}))
    database.close()


def test_every_series_comes_once_and_stands_at_the_time_of_its_study(bench: Bench) -> None:
    progress = bench.run(bench.make())
    assert (progress.ended, progress.found, progress.judged) == (True, 3, 3)
    again = bench.run(bench.make())
    assert again.ended
    assert set(bench.archive.asked.values()) == {1}
    with bench.database.read() as session:
        for row in session.scalars(select(SeriesRow)):
            assert (row.instances, row.completed_by, row.calling_ae_title) == (2, SIGNAL, "ARCHIVE")
            assert row.last_instance_at.astimezone().replace(tzinfo=None) == datetime(2004, 8, 26, 18, 50, 59)
            revision = revisions.latest_revision(session, row.series_instance_uid)
            assert revision is not None
            assert (revision.expected, revision.expected_by, revision.missing) == (2, "pacs", 0)
            assert backfills.is_silent(session, revision)
        assert pace.seconds_to_verdict(session, since=datetime(2000, 1, 1, tzinfo=UTC)) == []
        assert pace.oldest_unjudged(session) is None


def test_one_that_was_killed_goes_on_with_what_it_had_half_fetched(bench: Bench) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    bench.archive.after = die
    with pytest.raises(Killed):
        bench.run(bench.make())
    assert bench.states() == [("fetching", 0), ("found", 0), ("found", 0)]
    bench.archive.after = lambda: None
    assert bench.run(bench.make()).judged == 3


def test_what_is_being_fetched_is_not_judged_yet(bench: Bench) -> None:
    completing = Completing(bench.settings, bench.database, SystemClock())
    seen: list[int] = []
    # after the first image, before the second
    bench.archive.after = lambda: seen.append(len(list(completing.waiting())))
    (uid,) = list(bench.archive.images)[:1]
    with bench.database.begin() as session:
        stored = backfilling.keep(
            part10(bench.archive.images[uid][0]), bench.settings, SystemClock(), source="ARCHIVE", series=uid
        )
    backfill = bench.make()
    backfill._list(DAY)
    with bench.database.begin() as session:
        backfills.claim(session, backfill.backfill.id, at=datetime.now(UTC))
        reception.register(session, [stored])
    assert list(completing.waiting()) == []
    with bench.database.begin() as session:  # whoever fetched it died long ago: it is judged as it is
        row = session.scalars(select(BackfillSeriesRow)).first()
        assert row is not None
        row.touched_at = datetime.now(UTC) - backfills.LEFT_ALONE - timedelta(seconds=1)
    assert [one.arrival.series_instance_uid for one in completing.waiting()] == [uid]


def test_what_another_process_finds_before_it_is_noted_goes_to_no_destination(bench: Bench) -> None:
    (uid,) = list(bench.archive.images)[:1]
    image = part10(bench.archive.images[uid][0])
    stored = backfilling.keep(image, bench.settings, SystemClock(), source="ARCHIVE", series=uid)
    routing = Routing((Route("other", "OTHER"),), holds=False)
    spool = Spool(bench.settings.spool_dir, 0)
    # the receiver looks through the spool, or whoever fetched it has died
    assert Registrar(bench.database, spool, SystemClock(), receiver="r", routing=routing).adopt() == 1
    with bench.database.begin() as session:
        assert session.scalars(select(ForwardRow)).all() == []
        sent = replace(stored, received_at=datetime.now(UTC), fetched=False)
        reception.register(session, [sent], routing)  # a scanner sends it as well
        assert [row.destination for row in session.scalars(select(ForwardRow))] == ["other"]


def test_what_is_known_here_is_left_alone(bench: Bench) -> None:
    uid = next(iter(bench.archive.images))
    image = bench.archive.images[uid][0]
    with bench.database.begin() as session:
        reception.register(
            session, [backfilling.keep(part10(image), bench.settings, SystemClock(), source="CT1", series="")]
        )
    progress = bench.run(bench.make())
    assert (progress.known, progress.judged) == (1, 2)
    assert bench.archive.asked[uid] == 0


def test_what_a_scanner_sends_as_well_is_reported(bench: Bench) -> None:
    bench.run(bench.make())
    now = datetime.now(UTC)
    late = series(1, 1, first=2)[0]
    with bench.database.begin() as session:
        reception.open_association(
            session, association_id="a", calling_ae_title="CT1", called_ae_title="", host="", receiver="r", at=now
        )
        stored = backfilling.keep(part10(late), bench.settings, SystemClock(), source="CT1")
        reception.register(session, [stored.__class__(**{f: getattr(stored, f) for f in stored.__slots__}
                                                      | {"association_id": "a"})])  # fmt: skip
        revision = revisions.close_series(session, str(late.SeriesInstanceUID), completed_by="quiet", at=now)
        assert revision is not None
        assert not backfills.is_silent(session, revision)


def test_with_reports_it_is_not_silent(bench: Bench) -> None:
    bench.run(bench.make(report=True))
    with bench.database.read() as session:
        assert not any(backfills.is_silent(session, one) for one in session.scalars(select(RevisionRow)))


@pytest.mark.parametrize(
    ("faults", "states"),
    [
        ([Unreachable("away")], [("fetched", 1), ("fetched", 0), ("fetched", 0)]),
        ([DeliveryRefused("no")], [("fetched", 1), ("fetched", 0), ("fetched", 0)]),
        ([InputError("another series")], [("fetched", 1), ("fetched", 0), ("fetched", 0)]),
    ],
)
def test_a_fault_costs_a_try_and_nothing_else(bench: Bench, faults: list[Exception], states: object) -> None:
    bench.archive.faults = faults
    assert bench.run(bench.make()).ended
    assert bench.states() == states


def test_an_archive_that_is_away_costs_no_series_its_tries(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> float:
        raise Unreachable("nobody answers, got a refused connection")

    bench.archive.faults = [Unreachable("nobody answers")]
    monkeypatch.setattr(backfilling, "echo", away)
    progress = bench.run(bench.make(), most=20)
    assert not progress.ended
    assert sum(attempts for _, attempts in bench.states()) == 1
    assert max(bench.waits) == backfilling.AWAY_SECONDS[-1]
    assert "nobody answers" in bench.said[-1].note


def test_images_that_never_come_are_missing_in_the_verdict(bench: Bench) -> None:
    bench.archive.loses = 1
    bench.run(bench.make())
    assert bench.states() == [("fetched", 2)] * 3  # two tries with an image missing, and the third as it is
    with bench.database.read() as session:
        assert {(r.missing, r.expected) for r in session.scalars(select(RevisionRow))} == {(1, 2)}


def test_what_never_comes_is_given_up_and_can_be_tried_again(bench: Bench) -> None:
    bench.archive.loses = 2
    progress = bench.run(bench.make())
    assert (progress.ended, progress.failed) == (True, 3)
    assert bench.states() == [("failed", 3)] * 3
    bench.archive.loses = 0
    with bench.database.begin() as session:
        assert backfills.retry(session, 1) == 3
    assert bench.run(bench.make()).judged == 3


def test_it_is_never_more_than_so_many_series_ahead(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[int] = []

    def judge() -> None:  # nobody judges
        with bench.database.read() as session:
            ahead.append(len(revisions.queued(session)))

    monkeypatch.setattr(bench, "judge", judge)
    bench.run(bench.make(Manner(ahead=2)), most=10)
    assert max(ahead) == 2


def test_it_keeps_to_its_rate_and_its_window(bench: Bench) -> None:
    bench.run(bench.make(Manner(per_hour=1)), most=6)
    assert [state for state, _ in bench.states()] == ["fetched", "found", "found"]  # the next one an hour later
    now = datetime.now(UTC)
    opens, closes = ((now + timedelta(hours=hours)).time().replace(microsecond=0) for hours in (2, 3))
    closed = Window(opens, closes, UTC)
    bench.waits.clear()
    bench.run(bench.make(Manner(window=closed)), most=3)
    assert bench.waits == [60.0] * 3
    assert bench.said[-1].note.startswith("waits until ")


@pytest.mark.parametrize(
    ("change", "by", "words"),
    [
        ({"retrieve": "no"}, None, "--by c-get or c-move"),
        ({"originals": True}, "c-move", "fetch by c-get or wado-rs"),
        ({"name": "other"}, None, r"known: other\), got 'pacs'"),
    ],
)
def test_an_archive_that_cannot_be_asked_is_refused(change: dict[str, Any], by: str | None, words: str) -> None:
    settings = Settings.model_validate({"destinations": [PACS | change]})
    with pytest.raises(SettingsError, match=words):
        destination_for(settings, "pacs", by)


@pytest.mark.parametrize(
    ("text", "hours"), [("185059.123", 18), ("18:50:59", 18), ("18", 18), ("", 12), ("noon", 12), ("256199", 12)]
)
def test_the_time_of_a_study(text: str, hours: int) -> None:
    found = study_time(ArchivedSeries("1", "2", "CT", study_time=text), DAY, UTC)
    assert (found.date(), found.hour) == (DAY, hours)
