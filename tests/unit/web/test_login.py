"""Coming in, staying in, going out; and what others try."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from qagate.domain.person import Permission, Role
from qagate.store import audit, invitations
from qagate.store import people as stored
from qagate.web.login import inside
from tests.unit.web import people
from tests.unit.web.conftest import SEEDS, Site, make_site, uid_of

PAGE = {"accept": "text/html"}


class Held:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic_seconds(self) -> float:
        return 0.0


@pytest.fixture
def clock() -> Held:
    """The application's clock."""
    return Held(people.T0)


@pytest.fixture
def site(tmp_path, clock) -> Iterator[Site]:
    """A closed site with ada (admin) and bob (viewer)."""
    for site in make_site(tmp_path, SEEDS[0], anonymous_role=None, clock=clock):
        people.add(site.database, "ada", Role.ADMIN)
        people.add(site.database, "bob", Role.VIEWER)
        yield site


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Site]:
    """The same for all tests that leave nothing behind; nobody is logged in at first."""
    for site in make_site(tmp_path_factory.mktemp("shared"), anonymous_role=None):
        people.add(site.database, "ada", Role.ADMIN)
        people.add(site.database, "bob", Role.VIEWER)
        yield site


@pytest.fixture
def lasting_site(shared: Site) -> Site:
    """The shared site, with a browser that holds no cookies."""
    shared.client.cookies.clear()
    return shared


def acts(site: Site, **search: str) -> list[tuple[str, str, str]]:
    with site.database.read() as session:
        return [(row.who, row.what, row.detail) for row in audit.listing(session, audit.Search(**search))]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(lasting_site):
    answer = people.log_in(lasting_site.client, "bob")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("qagate_login="))
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"httponly", "max-age=43200", "path=/", "samesite=lax"}  # 12 h
    assert answer.headers["cache-control"] == "no-store"


def test_with_https_it_goes_nowhere_else(lasting_site):
    with TestClient(lasting_site.client.app, base_url="https://testserver") as client:
        answer = people.log_in(client, "bob")
        cookie = next(c for c in answer.headers.get_list("set-cookie") if "qagate_login=" in c)
        assert cookie.startswith("__Host-qagate_login=")
        assert "; Secure" in cookie
        assert client.get("/api/v1/me").json()["name"] == "bob"


@pytest.mark.parametrize(("name", "password"), [("bob", "wrong"), ("eve", people.PASSWORD), ("", ""), ("bob\x00", "x")])
def test_a_wrong_name_and_a_wrong_password_look_the_same(lasting_site, name, password):
    answer = people.log_in(lasting_site.client, name, password)
    assert answer.status_code == 401
    assert "Name or password is not right" in answer.text
    assert "qagate_login" not in answer.headers.get("set-cookie", "")


def test_what_was_typed_for_a_name_is_not_kept(site):
    people.log_in(site.client, "my secret password")  # in the wrong field
    people.log_in(site.client, "bob", "wrong")
    assert acts(site, what="login_failed") == [
        ("bob", "login_failed", ""),
        ("anonymous", "login_failed", "unknown name"),
    ]
    with site.database.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT key FROM login_try").scalars().all()
    assert not any("secret" in key for key in kept)


def test_a_planted_login_is_worth_nothing(lasting_site):
    lasting_site.client.cookies.set("qagate_login", "planted")
    people.log_in(lasting_site.client, "bob")
    assert lasting_site.client.cookies.get("qagate_login", domain="testserver.local") != "planted"
    with TestClient(lasting_site.client.app) as other:
        other.cookies.set("qagate_login", "planted")
        assert other.get("/api/v1/me").status_code == 401


def test_logging_in_again_ends_nothing_and_reuses_nothing(lasting_site):
    first = people.log_in(lasting_site.client, "bob").cookies["qagate_login"]
    assert people.log_in(lasting_site.client, "bob").cookies["qagate_login"] != first


@pytest.mark.parametrize(
    ("steps_minutes", "there"),
    [
        ([119], True),
        ([121], False),  # idle: 2 h
        ([100] * 7, True),  # 700 min, and a click every 100
        ([100] * 7 + [21], False),  # 721 min: more than 12 h
    ],
)
def test_a_login_ends_by_itself(site, clock, steps_minutes, there):
    people.log_in(site.client, "bob")
    for minutes in steps_minutes:
        clock.at += timedelta(minutes=minutes)
        code = site.client.get("/api/v1/me").status_code
    assert code == (200 if there else 401)


def test_a_page_that_asks_by_itself_keeps_no_login_alive(site, clock):
    people.log_in(site.client, "bob")
    for _ in range(13):
        clock.at += timedelta(minutes=10)
        code = site.client.get("/rows").status_code
    assert code == 401


def test_log_out(site):
    secret = people.log_in(site.client, "bob").cookies["qagate_login"]
    page = site.client.get("/me").text
    answer = site.client.post("/logout", data={"form_token": people.form_token(page)}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["clear-site-data"] == '"cache"'
    site.client.cookies.set("qagate_login", secret)  # whoever copied it
    assert site.client.get("/api/v1/me").status_code == 401


def test_log_out_everywhere_and_another_password(site):
    with TestClient(site.client.app) as other:
        people.log_in(other, "bob")
        people.log_in(site.client, "bob")
        token = people.form_token(site.client.get("/me").text)
        new = {
            "form_token": token,
            "old": people.PASSWORD,
            "new": "another battery staple",
            "again": "another battery staple",
        }
        assert site.client.post("/me/password", data={**new, "old": "wrong"}).status_code == 422
        assert site.client.post("/me/password", data={**new, "again": "different"}).status_code == 422
        assert site.client.post("/me/password", data=new, follow_redirects=False).status_code == 303
        assert other.get("/api/v1/me").status_code == 401
        assert site.client.get("/api/v1/me").status_code == 200
        people.log_in(other, "bob", "another battery staple")
        token = people.form_token(site.client.get("/me").text)
        site.client.post("/me/logout-everywhere", data={"form_token": token})
        assert other.get("/api/v1/me").status_code == 401


def test_too_many_tries_wait_even_with_the_right_password(site, clock):
    for _ in range(5):
        assert people.log_in(site.client, "bob", "wrong").status_code == 401
    answer = people.log_in(site.client, "bob")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "2"
    assert people.log_in(site.client, "ada").status_code == 303
    clock.at += timedelta(seconds=2)
    assert people.log_in(site.client, "bob").status_code == 303


def test_a_name_that_nobody_has_waits_as_long(site):
    codes = [people.log_in(site.client, "nobody", "wrong").status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("/", "/"),
        ("/series/1.2?volume=1", "/series/1.2?volume=1"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/\tevil", "/"),
        ("/%0d%0aX: y", "/%0d%0aX: y"),  # stays escaped
        ("/\u2215evil", "/"),
    ],
)
def test_a_login_leads_nowhere_else(lasting_site, asked, goes):
    assert inside(asked) == goes
    answer = people.log_in(lasting_site.client, "bob", next=asked)
    assert answer.headers["location"] == quote(goes, safe="/:?=&%")
    assert "x" not in answer.cookies


ELSEWHERE = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://testserver.evil.example"},
)


@pytest.mark.parametrize("headers", ELSEWHERE)
@pytest.mark.parametrize("address", ["/login", "/setup", "/logout", "/me/password", "/people", "/api/v1/people"])
def test_what_another_site_sends_is_refused(lasting_site, headers, address):
    if address not in ("/login", "/setup"):
        people.log_in(lasting_site.client, "ada")
    page = lasting_site.client.get("/me" if "qagate_login" in lasting_site.client.cookies else "/login").text
    sent = {"form_token": people.form_token(page), "name": "mallory", "password": people.PASSWORD}
    body = {"json": {"name": "mallory"}} if address.startswith("/api") else {"data": sent}
    answer = lasting_site.client.post(address, headers=headers, **body)
    assert answer.status_code == 403
    assert "mallory" not in str(acts(lasting_site))


@pytest.mark.parametrize(
    ("name", "headers"),
    [("eve", {}), ("eva", {"origin": "http://testserver"}), ("evi", {"sec-fetch-site": "same-origin"})],
)
def test_a_form_without_its_token_is_refused(lasting_site, name, headers):
    people.log_in(lasting_site.client, "ada")
    for sent in ({}, {"form_token": ""}, {"form_token": "0" * 64}):
        answer = lasting_site.client.post("/people", data={"name": name, **sent}, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    plain = lasting_site.client.post(
        "/api/v1/people", content='{"name": name}', headers={**headers, "content-type": "text/plain"}
    )
    assert plain.status_code in (403, 422)
    assert (
        lasting_site.client.post("/api/v1/people/bob/invitation", headers=headers).status_code == 403
    )  # no body at all
    assert lasting_site.client.post("/api/v1/people", json={"name": name}, headers=headers).status_code == 201


def test_the_form_token_of_another_login_is_refused(lasting_site):
    people.log_in(lasting_site.client, "ada")
    with TestClient(lasting_site.client.app) as other:
        people.log_in(other, "bob")
        stolen = people.form_token(other.get("/me").text)
    assert lasting_site.client.post("/people", data={"name": "eve", "form_token": stolen}).status_code == 403


def test_what_everybody_may_is_still_not_for_other_sites(tmp_path):
    for site in make_site(tmp_path, anonymous_role="admin"):
        headers = {"origin": "https://evil.example"}
        assert site.client.post("/api/v1/people", json={"name": "eve"}, headers=headers).status_code == 403
        assert site.client.post("/api/v1/people", json={"name": "eve"}).status_code == 201


def test_a_refused_token_is_never_taken_for_anonymous(tmp_path):
    for site in make_site(tmp_path, anonymous_role="admin"):
        for value in ("Bearer qg_wrong", "Bearer", "Basic YTpi", "Bearer \xe4".encode("latin-1")):
            answer = site.client.get("/api/v1/me", headers={"authorization": value})
            assert answer.status_code == 401
            assert answer.json()["status"] == 401


def test_a_token_may_read_but_not_change_its_person(site):
    secret = people.token_of(site.database, "ada", Permission.READ)
    headers = {"authorization": f"Bearer {secret}"}
    assert site.client.get("/api/v1/me", headers=headers).json() == {
        "name": "ada/test", "role": "admin", "permissions": ["read"],
    }  # fmt: skip
    assert site.client.get("/api/v1/people", headers=headers).status_code == 403
    assert site.client.post("/me/password", headers=headers).status_code == 403
    assert acts(site, who="ada/test") == [("ada/test", "refused", "GET /api/v1/people needs administer")]


def test_the_first_admin(tmp_path, clock):
    for site in make_site(tmp_path, anonymous_role=None, clock=clock):
        assert "Nobody is set up yet" in site.client.get("/login").text
        with site.database.begin() as session:
            token = invitations.invite(session, None, by="console", at=clock.at)

        def send(client=site.client, token=token, **sent):
            page = people.form_token(client.get("/setup").text)
            whole = {"form_token": page, "token": token, "name": "Ada", "password": people.PASSWORD}
            return client.post("/setup", data={**whole, "again": people.PASSWORD, **sent}, follow_redirects=False)

        assert send(token="x").status_code == 422
        for wrong in ({"again": "y"}, {"name": "a b"}, {"password": "short", "again": "short"}):
            assert send(**wrong).status_code == 422, wrong
        answer = send()
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert site.client.get("/api/v1/me").json()["role"] == "admin"
        assert send().status_code == 422  # used
        assert acts(site, what="person_added") == [("ada", "person_added", "ada as admin (local)")]
        assert token not in site.client.get("/audit", headers=PAGE).text


def test_the_token_of_the_first_run_is_printed_once_and_only_while_it_is_needed(tmp_path, clock, capsys):
    import sys

    from qagate.web.first import announce

    for site in make_site(tmp_path, anonymous_role=None, clock=clock):
        announce(site.settings, site.database, clock, sys.stdout)
        token = capsys.readouterr().out.rsplit(" ", 1)[1].strip()
        with site.database.begin() as session:
            assert invitations.look(session, token, at=clock.at) == invitations.Invited(None)
            stored.add(session, "ada", Role.ADMIN, by="console", at=clock.at)
        announce(site.settings, site.database, clock, sys.stdout)
        assert capsys.readouterr().out == ""


def test_views_and_exports_stand_in_the_trail(site):
    people.log_in(site.client, "bob")
    site.client.get(f"/series/{uid_of('look')}", headers=PAGE)
    site.client.get(f"/api/v1/series/{uid_of('look')}")
    site.client.get("/api/v1/series.csv?text=ACC0004711&verdict=review")
    assert acts(site, who="bob")[:3] == [
        ("bob", "list_exported", "verdict text"),  # not what was searched for: it may name a patient
        ("bob", "series_viewed", "api"),
        ("bob", "series_viewed", ""),
    ]
    assert len(acts(site, series_instance_uid=uid_of("look"))) == 2


def test_a_body_beyond_all_need_is_refused(lasting_site):
    answer = lasting_site.client.post("/login", content=b"x" * (2 << 20), headers={"content-type": "text/plain"})
    assert answer.status_code == 413
