"""The account adds up, whatever came in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qagate.store import accounting, worklist
from qagate.store.database import Database
from qagate.store.tables import SeriesRow

DAY = datetime(2026, 11, 22, tzinfo=UTC)
BOUNDS = [DAY + timedelta(days=n) for n in range(4)]

# what the rooms write: a verdict stays while late images are received or the series is set aside
PLACES = st.one_of(
    st.tuples(
        st.sampled_from(["receiving", "queued", "excluded", "failed"]),
        st.sampled_from(["", "accept", "review", "reject", "unscored"]),
    ),
    st.tuples(st.sampled_from(["scored", "delivered"]), st.sampled_from(["accept", "review", "reject", "unscored"])),
)
SERIES = st.tuples(PLACES, st.sampled_from(["CT1", "MR2", ""]), st.integers(0, 3 * 86400 - 1))


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('account') / 'q.db'}")
    yield database
    database.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SERIES, max_size=30))
def test_received_is_the_sum_of_all_places_per_day_and_per_source(database, series):
    with database.begin() as session:
        session.query(SeriesRow).delete()
        for number, ((state, outcome), source, second) in enumerate(series):
            at = DAY + timedelta(seconds=second)
            session.add(
                SeriesRow(series_instance_uid=f"1.{number}", study_instance_uid="1", state=state, outcome=outcome,
                          calling_ae_title=source, first_instance_at=at, last_instance_at=at)
            )  # fmt: skip
    with database.read() as session:
        whole = worklist.account(session)
        days = accounting.days(session, BOUNDS)
        reasons = accounting.reasons(session)
    assert whole.received == len(series)
    assert whole.unaccounted == 0
    assert accounting.total(day.whole for day in days) == whole
    for day in days:
        assert accounting.total(day.sources.values()) == day.whole
        for account in (day.whole, *day.sources.values()):
            known = account.scored + account.unscored + account.excluded + account.failed + account.pending
            assert account.received == known
    assert sum(reasons.values()) == whole.unscored + whole.excluded + whole.failed


def test_a_series_in_no_place_is_unaccounted(database):
    with database.begin() as session:
        session.query(SeriesRow).delete()
        session.add(SeriesRow(series_instance_uid="1", study_instance_uid="1", state="scored", first_instance_at=DAY,
                              last_instance_at=DAY))  # fmt: skip
    with database.read() as session:
        assert worklist.account(session).unaccounted == 1


def test_midnights_ascend_and_end_after_now():
    now = datetime(2026, 11, 22, 13, tzinfo=UTC)
    bounds = accounting.midnights(now, 7)
    assert len(bounds) == 8
    assert bounds[-2] <= now < bounds[-1]
    assert all(later > earlier for earlier, later in pairwise(bounds))
