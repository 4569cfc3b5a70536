from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, event, select, text, update

from qagate.store import lists, numbers, places
from qagate.store.database import Database
from qagate.store.filter import OUTCOMES, Filter
from qagate.store.tables import KindRow, ReviewRow, SeriesRow
from tests.peers import postgres
from tests.unit.store.conftest import T0

WORDS = ("protocol_name", "series_description", "station_name", "calling_ae_title", "modality", "region", "organ")
ROWS = (
    # name, outcome, minutes, protocol, description, station, AE title, modality, region, organ, accession
    ("a", "reject", 50, "Thorax", "lung 1mm", "CT1", "AE1", "CT", "chest", "lung", "ACC0004711"),
    ("b", "accept", 40, "Abdomen", "venous 3mm", "CT2", "AE2", "CT", "abdomen", "liver", "ACC0004712"),
    ("c", "review", 30, "Abdomen", "venous 100%", "CT2", "AE2", "CT", "abdomen pelvis", "", "ACC0004713"),
    ("d", "", 20, "", "", "", "AE1", "MR", "", "", ""),
    ("e", "unscored", 10, "Knee", "PD_FS sag", "MR1", "AE3", "MR", "", "knee", "X4713"),
    ("f", "review", 60, "Knee", "PDxFS sag", "OLD", "AE3", "MR", "", "knee", "b-77"),
)


def fill(database: Database) -> None:
    with database.begin() as session:
        for name, outcome, minutes, protocol, description, station, title, modality, region, organ, accession in ROWS:
            at = T0 - timedelta(minutes=minutes)
            session.add(
                SeriesRow(
                    series_instance_uid=f"1.2.{ord(name)}", study_instance_uid="1.9", state="delivered",
                    outcome=outcome, first_instance_at=at, last_instance_at=at, protocol_name=protocol,
                    series_description=description, station_name=station, calling_ae_title=title, modality=modality,
                    region=region, organ=organ, accession_number=accession,
                )
            )  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peers)], scope="module")
def filled(request, tmp_path_factory) -> Iterator[Database]:
    """The same six series in each database."""
    if request.param == "sqlite":
        database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('lists') / 'qagate.db'}")
        fill(database)
        yield database
        database.close()
        return
    if not postgres.available():
        pytest.skip("there is no PostgreSQL here")
    with postgres.Postgres() as server:
        database = Database.open(server.url)
        fill(database)
        yield database
        database.close()


FILTERS = (
    (Filter(), "edcbaf"),  # the latest first
    (Filter(outcome="review"), "cf"),
    (Filter(outcome="flagged"), "caf"),
    (Filter(modality="CT"), "cba"),
    (Filter(modality="CT", outcome="accept"), "b"),
    (Filter(organ="knee"), "ef"),
    (Filter(organ="pelvis"), "c"),
    (Filter(organ="pel"), ""),  # whole words only
    (Filter(scanner="AE1"), "da"),
    (Filter(scanner="OLD"), "f"),
    (Filter(protocol="Abdomen", scanner="CT2"), "cb"),
    (Filter(protocol="venous 3mm"), ""),  # a description stands for a protocol only where there is none
    (Filter(calling_ae_title="AE3", state="delivered"), "ef"),
    (Filter(state="failed"), ""),
    (Filter(since=T0 - timedelta(minutes=40), until=T0 - timedelta(minutes=10)), "dcb"),
    (Filter(modality="CT", since=T0 - timedelta(minutes=40)), "cb"),
    (Filter(text="VENOUS"), "cb"),
    (Filter(text="100%"), "c"),  # what SQL takes for a placeholder is a letter here
    (Filter(text="PD_FS"), "e"),
    (Filter(text="4713"), "ec"),  # the tail that the pages show
    (Filter(text="04713"), "c"),
    (Filter(text="acc000"), "cba"),
    (Filter(text="ACC0004712"), "b"),
    (Filter(text="B-77"), "f"),
    (Filter(text="-77"), ""),  # too short for an accession number
    (Filter(text="1.2.98"), "b"),
    (Filter(text="1.9"), ""),
    (Filter(text="4713", modality="MR"), "e"),
    (Filter(text="4713", outcome="review"), "c"),
    (Filter(text="nothing"), ""),
)


def counted_up_to(monkeypatch, most: int) -> None:
    for module in (lists, places):
        monkeypatch.setattr(module, "MOST_COUNTED", most)


def names(rows) -> str:
    return "".join(chr(int(row.series_instance_uid.rsplit(".", 1)[1])) for row in rows)


@pytest.mark.parametrize("most", [lists.MOST_COUNTED, 1], ids=["seldom", "often"])
@pytest.mark.parametrize(("wanted", "expected"), FILTERS, ids=[str(i) for i in range(len(FILTERS))])
def test_every_filter_by_either_way(filled, monkeypatch, wanted, expected, most):
    counted_up_to(monkeypatch, most)  # 1: everything matches "often", and is found by walking
    with filled.read() as session:
        assert names(lists.listing(session, wanted)) == expected
        assert lists.count(session, wanted) == min(len(expected), most)
        assert sum(lists.outcome_counts(session, replace(wanted, outcome="")).values()) >= min(len(expected), 1)


def test_of_a_beginning_that_many_share_the_highest_numbers_are_listed(filled, monkeypatch):
    monkeypatch.setattr(numbers, "MOST_NAMED", 2)
    with filled.read() as session:
        assert names(lists.listing(session, Filter(text="acc000"))) == "cb"
        assert lists.count(session, Filter(text="acc000", outcome="review")) == 1


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [(6, 0, "acfedb"), (2, 0, "ac"), (2, 1, "cf"), (2, 2, "fe"), (3, 3, "edb"), (2, 5, "b"), (2, 6, "")],
)
def test_flagged_first_in_parts(filled, limit, offset, expected):
    with filled.read() as session:
        assert names(lists.listing(session, Filter(), limit=limit, offset=offset, flagged_first=True)) == expected


def test_flagged_first_with_an_outcome(filled):
    with filled.read() as session:
        assert names(lists.listing(session, Filter(outcome="flagged"), flagged_first=True)) == "acf"
        assert names(lists.listing(session, Filter(outcome="review"), flagged_first=True)) == "cf"


@pytest.mark.parametrize(
    ("wanted", "since", "expected"),
    [
        (Filter(), 55, "caedbf"),  # f waits for longer: it stands where it belongs by its time
        (Filter(), 65, "cafedb"),
        (Filter(), 1, "edcbaf"),
        (Filter(modality="CT"), 65, "cab"),
        (Filter(outcome="accept"), 65, "b"),
        (Filter(outcome="review"), 65, "cf"),
        (Filter(text="4713"), 65, "ce"),
        (Filter(text="nothing"), 65, ""),
    ],
)
def test_what_waits_for_a_person_first_whole_and_in_parts(filled, wanted, since, expected):
    with filled.begin() as session:
        for name in "acf":
            session.add(
                ReviewRow(series_instance_uid=f"1.2.{ord(name)}", revision=1, state="open", asked=True, outcome="")
            )
    after = T0 - timedelta(minutes=since)
    try:
        with filled.read() as session:
            assert names(lists.pending_first(session, wanted, since=after)) == expected
            for offset in range(len(expected) + 1):
                found = lists.pending_first(session, wanted, since=after, limit=2, offset=offset)
                assert names(found) == expected[offset : offset + 2]
    finally:
        with filled.begin() as session:
            session.execute(delete(ReviewRow))


def test_the_database_knows_what_waits_whoever_writes(filled):
    def waiting() -> str:
        with filled.read() as session:
            return names(session.scalars(select(SeriesRow).where(SeriesRow.waiting.is_(True))))

    with filled.begin() as session:
        session.add(ReviewRow(series_instance_uid="1.2.97", revision=1, state="proposed", asked=True, outcome=""))
        session.add(ReviewRow(series_instance_uid="1.2.98", revision=1, state="agreed", asked=True, outcome=""))
    assert waiting() == "a"
    with filled.begin() as session:
        session.execute(text("UPDATE review SET state = 'open' WHERE series_instance_uid = '1.2.98'"))
        session.execute(text("UPDATE review SET state = 'rejected' WHERE series_instance_uid = '1.2.97'"))
    assert waiting() == "b"
    with filled.begin() as session:
        session.execute(delete(ReviewRow))
    assert waiting() == ""


def test_choices(filled):
    with filled.read() as session:
        assert lists.choices(session, since=T0 - timedelta(minutes=45)) == {
            "modality": ["CT", "MR"],
            "organ": ["abdomen", "knee", "liver", "pelvis"],
            "scanner": ["AE1", "AE2", "AE3", "CT2", "MR1"],
            "protocol": ["Abdomen", "Knee"],
        }


def test_the_database_keeps_kinds_true_whoever_writes(filled):
    with filled.begin() as session:
        session.execute(update(SeriesRow).where(SeriesRow.series_instance_uid == "1.2.97").values(station_name="CT9"))
    with filled.read() as session:
        kind = session.get_one(KindRow, session.get_one(SeriesRow, "1.2.97").kind_id)
        assert (kind.station_name, kind.protocol_name) == ("CT9", "Thorax")
        assert session.get_one(SeriesRow, "1.2.97").accession_tail == "4711"
    with filled.begin() as session:
        session.execute(text("UPDATE series SET station_name = 'CT1', accession_number = 'Z99' WHERE kind_id = :id"),
                        {"id": kind.id})  # fmt: skip
    with filled.read() as session:
        assert names(lists.listing(session, Filter(scanner="CT1"))) == "a"
        assert session.get_one(SeriesRow, "1.2.97").accession_tail == "z99"
    with filled.begin() as session:
        session.execute(
            update(SeriesRow).where(SeriesRow.series_instance_uid == "1.2.97").values(accession_number="ACC0004711")
        )


@pytest.fixture
def hidden(filled):
    """Of the six series a and b are hidden; c waits for a person and is not, f was hidden until somebody spoke."""
    rows = {"a": ("open", True), "b": ("open", True), "c": ("open", False), "f": ("agreed", True)}
    with filled.begin() as session:
        for name, (state, blind) in rows.items():
            uid = f"1.2.{ord(name)}"
            session.add(
                ReviewRow(series_instance_uid=uid, revision=1, state=state, asked=True, blind=blind, outcome="")
            )
    yield filled
    with filled.begin() as session:
        session.execute(delete(ReviewRow))


@pytest.mark.parametrize("most", [lists.MOST_COUNTED, 1], ids=["seldom", "often"])
@pytest.mark.parametrize(
    ("wanted", "told", "untold"),
    [
        (Filter(), "edcf", "ba"),
        (Filter(outcome="flagged"), "cf", "a"),
        (Filter(modality="CT"), "c", "ba"),
        (Filter(text="acc000"), "c", "ba"),
        (Filter(text="venous", scanner="CT2"), "c", "b"),
        (Filter(text="1.2.98"), "", "b"),
    ],
)
def test_what_is_hidden_alone_and_all_but_that(hidden, monkeypatch, wanted, told, untold, most):
    counted_up_to(monkeypatch, most)
    with hidden.read() as session:
        for only, expected in ((False, told), (True, untold)):
            narrowed = replace(wanted, hidden=only)
            assert names(lists.listing(session, narrowed)) == expected
            assert lists.count(session, narrowed) == min(len(expected), most)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), {"review": 2, "unscored": 1, "": 3}),
        (Filter(outcome="accept"), {"review": 2, "unscored": 1, "": 3}),
        (Filter(scanner="CT2"), {"review": 1, "": 1}),
        (Filter(text="acc000"), {"review": 1, "": 2}),
        (Filter(text="ACC0004712"), {"": 1}),
    ],
)
def test_what_is_hidden_counts_as_if_it_had_no_verdict(hidden, wanted, expected):
    with hidden.read() as session:
        assert lists.outcome_counts(session, wanted, veiled=True) == expected


def test_the_database_knows_what_is_hidden_whoever_writes(hidden):
    def known() -> str:
        with hidden.read() as session:
            return names(session.scalars(select(SeriesRow).where(SeriesRow.hidden.is_(True))))

    assert sorted(known()) == ["a", "b"]
    with hidden.begin() as session:
        session.execute(text("UPDATE review SET state = 'rejected' WHERE series_instance_uid = '1.2.97'"))
        session.execute(update(ReviewRow).where(ReviewRow.series_instance_uid == "1.2.99").values(blind=True))
    assert sorted(known()) == ["b", "c"]
    with hidden.begin() as session:
        session.execute(delete(ReviewRow))
    assert known() == ""


@contextlib.contextmanager
def heard(database):
    """Yield a list that gets what the database is asked, as (statement, parameters)."""
    asked = []

    def listen(connection, cursor, statement, parameters, context, executemany):
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(database.engine, "before_cursor_execute", listen)


def plans(database, asked):
    """Return how SQLite goes about the series in what it was asked."""
    with database.engine.connect() as connection:
        return [
            line.detail
            for statement, parameters in asked
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            if " series" in line.detail
        ]


def test_a_count_reads_no_row(filled):
    """Of a million series 46 000 may be hidden: counts read the rows of them, or of all others, and took 0.3 s."""
    if filled.engine.dialect.name != "sqlite":
        pytest.skip("how PostgreSQL goes about it depends on what it has counted of the table")
    with heard(filled) as asked, filled.read() as session:
        lists.outcome_counts(session, Filter(scanner="CT2"), veiled=True)
        lists.count(session, Filter(scanner="CT2", outcome="accept", hidden=False))
    counts = [one for one in asked if "count(" in one[0]]
    assert len(counts) == 1 + len(OUTCOMES) + 2
    found = plans(filled, counts)
    assert [plan for plan in found if not re.search("ix_series_hidden|COVERING INDEX ix_series_kind", plan)] == []


def test_the_few_of_a_day_are_not_looked_for_among_all_that_share_a_beginning(filled):
    """Of a million series 100 000 may have numbers that begin alike: all were read for the few that wait."""
    if filled.engine.dialect.name != "sqlite":
        pytest.skip("how PostgreSQL goes about it depends on what it has counted of the table")
    with heard(filled) as asked, filled.read() as session:
        found = list(lists.pending_first(session, Filter(text="ACC000"), since=T0 - timedelta(days=1)))
    assert found
    waiting = [one for one in asked if "waiting IS 1" in one[0] and "BETWEEN" in one[0]]
    assert waiting
    assert [plan for plan in plans(filled, waiting) if "ix_series_accession_number" in plan] == []
