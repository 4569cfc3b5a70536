"""A directory vouches for people: what holds, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import OctKey, RSAKey

from qagate.domain.person import Role
from qagate.settings import Settings
from qagate.store import audit
from qagate.store import people as stored
from qagate.store.database import Database
from qagate.web.app import create_app
from tests.unit.web import people
from tests.unit.web.directory import FakeDirectory
from tests.unit.web.test_login import Held


class Place:
    """A node that asks a fake directory."""

    def __init__(self, client: TestClient, database: Database, directory: FakeDirectory, clock: Held) -> None:
        self.client, self.database, self.directory, self.clock = client, database, directory, clock

    def go(self, where: str = "/") -> str:
        answer = self.client.get("/login/oidc", params={"next": where}, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def come_back(self, state: str, code: str):
        return self.client.get("/login/oidc/back", params={"state": state, "code": code}, follow_redirects=False)

    def whole(self, **claims):
        """Go to the directory and come back with these claims."""
        self.directory.claims = claims
        return self.come_back(*self.directory.let_in(self.go("/?verdict=review")))


@pytest.fixture(scope="module")
def _place(tmp_path_factory) -> Iterator[Place]:
    clock = Held(people.T0)
    with FakeDirectory() as directory:
        oidc = {"issuer": directory.issuer, "client_id": "qagate", "client_secret": "s3cret", "label": "the hospital",
                "roles": {"readers": "reviewer", "physics": "physicist"}}  # fmt: skip
        settings = Settings.model_validate(
            {"storage": {"data_dir": tmp_path_factory.mktemp("oidc"), "reserve_mb": 0}, "people": {"oidc": oidc},
             "web": {"public_url": "http://testserver"}}
        )  # fmt: skip
        database = Database.open(settings.database_url)
        people.add(database, "ada", Role.ADMIN)
        with TestClient(create_app(settings, database, clock)) as client:
            yield Place(client, database, directory, clock)
        database.close()


@pytest.fixture
def place(_place) -> Place:
    """The node with an honest directory and a browser without cookies."""
    _place.client.cookies.clear()
    _place.directory.key, _place.directory.algorithm = _place.directory.honest_key, "RS256"
    _place.directory.now = int(_place.clock.at.timestamp())
    _place.directory.claims = {}
    return _place


def test_the_login_page_names_it(place):
    assert "Log in with the hospital" in place.client.get("/login").text


def test_whom_it_vouches_for_comes_in_with_the_highest_role_of_their_groups(place):
    answer = place.whole(groups=["readers", "physics", "others"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/?verdict=review")
    assert place.client.get("/api/v1/me").json()["name"] == "grace"
    assert place.client.get("/api/v1/me").json()["role"] == "physicist"
    place.whole(groups="readers", preferred_username="grace.h")  # a role that was taken away, and a new name
    me = place.client.get("/api/v1/me").json()
    assert (me["name"], me["role"]) == ("grace", "reviewer")  # the same person, by their subject


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another login"},
        {"nonce": None},
        {"aud": "another program"},
        {"aud": ["qagate", "another program"], "azp": "another program"},
        {"iss": "https://evil.example"},
        {"exp": int(people.T0.timestamp()) - 61},  # a minute is forgiven
        {"exp": None},
        {"sub": None},
        {"groups": ["strangers"]},
        {"groups": None},
        {"groups": {"readers": True}},
        {"preferred_username": None},
        {"preferred_username": "ada", "sub": "43"},  # has a password here: not to be taken over
        {"preferred_username": "console", "sub": "44"},
        {"preferred_username": "a b", "sub": "45"},
    ],
)
def test_who_does_not_come_in(place, claims):
    answer = place.whole(**claims)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert place.client.get("/api/v1/me").status_code == 401
    with place.database.read() as session:
        assert audit.listing(session, audit.Search(), limit=1)[0].what == "login_failed"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSAKey.generate_key(2048, {"kid": "k1"}, private=True), "RS256"), (OctKey.import_key(b"s3cret" * 8), "HS256")],
)
def test_a_token_that_another_signed_is_worth_nothing(place, key, algorithm):
    place.directory.key, place.directory.algorithm = key, algorithm
    assert place.whole().status_code == 401


def test_only_the_browser_that_went_comes_back_and_only_once(place):
    state, code = place.directory.let_in(place.go())
    with TestClient(place.client.app) as other:
        assert other.get("/login/oidc/back", params={"state": state, "code": code}).status_code == 401
    assert place.come_back("another state", code).status_code == 401
    assert place.come_back(state, code).status_code == 401  # the first answer ended the way
    state, code = place.directory.let_in(place.go())
    assert place.come_back(state, code).status_code == 303
    assert place.come_back(state, code).status_code == 401


def test_the_way_back_leads_nowhere_else(place):
    place.directory.claims = {}
    answer = place.come_back(*place.directory.let_in(place.go("https://evil.example/")))
    assert answer.headers["location"] == "/"


def test_who_was_disabled_here_stays_out(place):
    place.whole(sub="50", preferred_username="hedy")
    with place.database.begin() as session:
        stored.disable(session, stored.get(session, "hedy"), by="ada", at=place.clock.at)
    assert place.whole(sub="50", preferred_username="hedy").status_code == 401
    place.client.cookies.clear()
    assert people.log_in(place.client, "hedy", "").status_code == 401


def test_a_directory_that_does_not_answer_leaves_the_password_form(place):
    place.clock.at += timedelta(minutes=11)  # what was learned is old
    issuer, place.directory.issuer = place.directory.issuer, "http://elsewhere"
    answer = place.client.get("/login/oidc", follow_redirects=False)
    place.directory.issuer = issuer
    assert answer.status_code == 502
    assert 'name="password"' in answer.text
    assert people.log_in(place.client, "ada").status_code == 303


def test_a_node_without_a_directory_has_no_way_there(site):
    assert site.client.get("/login/oidc").status_code == 404
