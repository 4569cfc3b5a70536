"""Some of what can go wrong, one thing at a time, and the ledger. `make crash` plays all of it, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from qagate.domain.series import StoredInstance
from qagate.errors import StoreRefused
from qagate.store import reception
from qagate.store.database import Database
from qagate.store.tables import SeriesRow
from tests.crash.scenario import Scenario, Theatre, known
from tests.peers.postgres import Postgres
from tests.peers.postgres import available as postgres_available

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    # pynetdicom leaves a socket open when nobody listens, which here is often so
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

FAST = [one for one in known() if one.fast]


@pytest.fixture(scope="module")
def theatres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Theatre]]:
    """A theatre for each kind of database."""
    made = {kind: Theatre(tmp_path_factory.mktemp(kind), kind) for kind in ("sqlite", "postgresql")}
    yield made
    for theatre in made.values():
        theatre.leave()


@pytest.mark.parametrize("one", FAST, ids=lambda one: one.name)
def test_nothing_is_lost_or_double_when(one: Scenario, theatres: dict[str, Theatre]) -> None:
    kind = one.databases[0]
    if kind == "postgresql" and not postgres_available():
        pytest.skip("needs PostgreSQL")
    if one.missing:
        pytest.skip(f"needs {one.missing}")
    assert theatres[kind].play(one).faults == ()


def test_there_are_enough_of_them_and_each_says_what_it_is() -> None:
    everything = known()
    assert len(everything) >= 100
    assert sum("postgresql" in one.databases for one in everything) >= 40
    assert all(one.sentence and one.name == one.name.strip() for one in everything)
    setups = {one.setup.name: one.setup for one in everything}
    assert all(one.setup is setups[one.setup.name] for one in everything)  # a stage is shared by its name


@pytest.mark.skipif(not postgres_available(), reason="needs PostgreSQL")
def test_postgresql_takes_what_is_longer_than_it_may_be(tmp_path):
    odd = StoredInstance(
        Path("/spool/1.dcm"), "1\0" * 90, "2" * 90, "3", "1.2.3" * 20, "4" * 90, "M" * 40, 1, "a" * 64, "S" * 40,
        datetime(2026, 11, 22, tzinfo=UTC),
    )  # fmt: skip
    with Postgres() as cluster, closing(Database.open(cluster.url)) as database:
        for new in (1, 0):
            with database.begin() as session:
                assert reception.register(session, [odd]) == new
        with pytest.raises(StoreRefused), database.begin() as session:
            session.execute(update(SeriesRow).values(modality="M" * 40))
