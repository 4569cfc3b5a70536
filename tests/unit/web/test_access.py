"""Everything is denied until somebody is known and may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from qagate.domain.person import GRANTS, Permission, Role
from qagate.web import access
from tests.unit.web import people
from tests.unit.web.conftest import SEEDS, Site, make_site

PAGE = {"accept": "text/html"}

CHANGED_BY_ANYBODY = {"/login", "/setup", "/logout", "/me/password", "/me/logout-everywhere"}
"""What a person without any right may still change: their own login."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Iterator[Site]:
    """A site where nobody comes in without logging in; one person of each role is called as the role."""
    for site in make_site(tmp_path_factory.mktemp("closed"), *SEEDS, anonymous_role=None):
        for role in Role:
            people.add(site.database, role.value, role)
        yield site


def test_every_route_is_open_on_purpose_or_asks_for_a_permission(closed):
    routes = access.routes_of(closed.client.app)
    assert len(routes) > 15
    assert [route.path for route in routes if not route.permissions and route.path not in access.OPEN] == []


def test_an_application_with_a_bare_route_does_not_start():
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.get("/bare")(lambda: None)
    assert access.unguarded(app) == ["/bare"]


def addresses(route: access.Guarded) -> str:
    """Return an address of a route: any numbers do, the permission is looked at before them."""
    text = route.path
    while "{" in text:
        head, _, rest = text.partition("{")
        text = head + "1" + rest.partition("}")[2]
    return text


def test_nobody_gets_nothing(closed):
    closed.client.cookies.clear()
    for route in access.routes_of(closed.client.app):
        for method in route.methods if route.permissions else ():
            answer = closed.client.request(method, addresses(route))
            assert answer.status_code == 401, (method, route.path)
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_refused_all_that_it_is_not_granted(closed, role):
    with closed.database.begin() as session:
        from qagate.store import people as stored
        from qagate.store import tokens

        row = stored.get(session, role.value)
        secret = tokens.add(session, row, "walk", tuple(Permission), by="console", at=people.T0, lasts=None)
    for route in access.routes_of(closed.client.app):
        beyond = set(route.permissions) - GRANTS[role]
        for method in route.methods if beyond else ():
            answer = closed.client.request(method, addresses(route), headers={"authorization": f"Bearer {secret}"})
            assert answer.status_code == 403, (method, route.path)


def test_a_viewer_can_change_nothing(closed):
    """Whatever changes something asks for more than a viewer has."""
    for route in access.routes_of(closed.client.app):
        if route.methods - {"GET", "HEAD"} and route.path not in CHANGED_BY_ANYBODY:
            assert set(route.permissions) - GRANTS[Role.VIEWER], route.path


@pytest.mark.parametrize(
    ("host", "client", "code"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 200),
        ("localhost", "127.0.0.1", 200),
        ("[::1]:8080", "::1", 200),
        ("qa.example", "10.0.0.7", 200),
        ("evil.example", "127.0.0.1", 401),  # a name that was made to point here
        ("[", "127.0.0.1", 401),
    ],
)
def test_who_may_come_in_unnamed_calls_this_machine_by_its_own_name(site, host, client, code):
    with TestClient(site.client.app, client=(client, 50000)) as browser:
        assert browser.get("/api/v1/me", headers={"host": host}).status_code == code


def test_pages_lead_to_the_login_and_back(closed):
    closed.client.cookies.clear()
    answer = closed.client.get("/?verdict=review&text=a%26b", headers=PAGE, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2F%3Fverdict%3Dreview%26text%3Da%2526b"
    page = closed.client.get(answer.headers["location"]).text
    assert 'name="next" value="/?verdict=review&amp;text=a%26b"' in page
    answer = people.log_in(closed.client, "viewer", next="/?verdict=review")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?verdict=review")
    assert closed.client.get("/?verdict=review", headers=PAGE, follow_redirects=False).status_code == 200
