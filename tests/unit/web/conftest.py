"""The application over a seeded database, asked in the same process."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from qagate.clock import Clock
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.web.app import create_app
from tests.web.seeds import Seed, seed, settings_in

HOSTILE = "<script>alert(1)</script>\"'&"

SEEDS = (
    Seed("look", "review", 41.4, reasons=("Noise 24 HU; abdomen here is usually 12-18",), minutes=3, images=True),
    Seed("good", "accept", 86.0, modality="MR", region="", organ="knee", station="MR1", protocol="Knee", minutes=9,
         description="PD FS sag"),
    Seed("none", "unscored", None, description="Topogram", reasons=("this is a localizer",), minutes=2),
    Seed("bad", "reject", 12.0, region="chest", protocol="Thorax", station="CT1", description=HOSTILE, minutes=30,
         reasons=("Patient moved between slices 31 and 44",)),
    Seed("open", "", minutes=0.1, station="CT1"),
    Seed("excluded", "excluded", modality="US", minutes=70),
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """What the tests talk to."""

    client: TestClient
    database: Database
    settings: Settings

    def page(self, address: str, code: int = 200) -> str:
        """Return a page as a browser gets it."""
        answer = self.client.get(address, headers={"accept": "text/html"})
        assert answer.status_code == code, answer.text[:500]
        return answer.text

    def json(self, address: str, code: int = 200) -> dict:
        """Return an answer of the API."""
        answer = self.client.get(address)
        assert answer.status_code == code, answer.text[:500]
        return answer.json()


def make_site(
    folder: Path, *seeds: Seed, anonymous_role: str | None = "admin", clock: Clock | None = None
) -> Iterator[Site]:
    """Yield a site over these series, with somebody listening where the receiver should be."""
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        settings = settings_in(folder, anonymous_role=anonymous_role, receiver=f"127.0.0.1:{receiver.getsockname()[1]}")
        database = Database.open(settings.database_url)
        for one in seeds:
            seed(database, settings, one)
        with TestClient(create_app(settings, database, clock), raise_server_exceptions=False) as client:
            yield Site(client, database, settings)
        database.close()


def configured(site: Site, **review: object) -> None:
    """Change settings of reviewing on a running site."""
    site.client.app.state.settings = site.settings.model_copy(
        update={"review": site.settings.review.model_copy(update=review)}
    )


@pytest.fixture
def zone(monkeypatch) -> Iterator[Callable[[str], None]]:
    """Move the machine to another time zone."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    """A site with one series of each kind."""
    yield from make_site(tmp_path_factory.mktemp("site"), *SEEDS)


@pytest.fixture
def empty_site(tmp_path) -> Iterator[Site]:
    """A site that nothing came to."""
    yield from make_site(tmp_path)


def uid_of(name: str) -> str:
    """Return the UID of a seed."""
    return next(one.uid for one in SEEDS if one.name == name)
