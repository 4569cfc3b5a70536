"""Every error has one shape, that of RFC 9457, or the same sentence on a page."""

from __future__ import annotations

import pytest

from tests.unit.web.conftest import make_site
from tests.web.seeds import Seed

BAD = [
    ("/api/v1/series/1.2.3", 404),
    ("/api/v1/series/not-a-uid", 422),
    ("/api/v1/series/" + "1" * 65, 422),
    ("/api/v1/series?limit=900", 422),
    ("/api/v1/series?verdict=perhaps", 422),
    ("/api/v1/series?date=yesteryear", 422),
    ("/api/v1/series/1.2.3/volume/0.nii.gz", 404),
    ("/api/v1/series/1.2.3/pictures/0/0", 404),
    ("/api/v1/thumbnails/1/0/999", 404),
    ("/api/v1/thumbnails/0/0/0", 422),
    ("/series/1.2.3", 404),
    ("/series/x", 422),
    ("/?page=0", 422),
    ("/?date=2026-13-40", 422),
    ("/nowhere", 404),
]


@pytest.mark.parametrize(("address", "code"), BAD)
def test_as_json(site, address, code):
    answer = site.json(address, code)
    assert (list(answer), answer["status"]) == (["type", "title", "status", "detail"], code)
    assert isinstance(answer["detail"], str)


@pytest.mark.parametrize(("address", "code"), [pair for pair in BAD if not pair[0].startswith("/api/")])
def test_as_a_page(site, address, code):
    page = site.page(address, code)
    assert "Back to the worklist" in page


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/api/v1/series/1.2/release", {"reason": "a\0b"}),
        ("/api/v1/series/1.2/reject", {"reason": "a\0b"}),
        ("/api/v1/release-everything", {"reason": "a\0b"}),
        ("/api/v1/tokens", {"person": "a\0b", "name": "lab"}),
    ],
)
def test_what_no_database_server_takes_is_refused_before_it(site, address, body):
    """PostgreSQL has no NUL in its texts, and it looked as if it was away."""
    assert site.client.post(address, json=body).status_code == 422


def test_a_form_of_somebody_whose_login_ended(tmp_path):
    """A person is not told to send an API token."""
    for site in make_site(tmp_path, anonymous_role=None):
        answer = site.client.post("/logout", headers={"accept": "text/html"}, follow_redirects=False)
        assert answer.status_code == 401
        assert "not logged in any more: nothing was changed" in answer.text
        assert "Bearer" not in answer.text
        assert "Bearer" in site.client.post("/logout").json()["detail"]


def test_wrong_method(site):
    answer = site.client.post("/api/v1/series")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("address", ["/", "/rows", "/series/1.2.3", "/room/CT1", "/api/v1/series", "/api/v1/series.csv",
                                     "/api/v1/account", "/metrics", "/api/v1/series/1.2/volume/0.nii.gz"])  # fmt: skip
def test_database_away(tmp_path, address):
    for site in make_site(tmp_path, Seed("one")):
        with site.database.engine.begin() as connection:
            for table in ("delivery", "document", "assessment", "event", "instance", "revision", "series"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
        assert "Nothing is lost" in site.json(address, 503)["detail"]
        if not address.startswith("/api"):
            assert "The database cannot be reached" in site.page(address, 503)
        assert site.client.get("/healthz").status_code == 200


def test_not_ready_when_the_database_cannot_be_opened(tmp_path):
    for site in make_site(tmp_path):
        assert site.client.get("/readyz").text == "ready\n"
        site.database.close()
        site.settings.storage.data_dir.joinpath("qagate.db").rename(tmp_path / "away")
        tmp_path.joinpath("qagate.db").mkdir()
        answer = site.client.get("/readyz")
        assert answer.status_code == 503
        assert "database" in answer.text


def test_a_fault_of_ours_tells_nothing_of_its_inside(site, monkeypatch):
    def burst(*_):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("qagate.web.pages.worklist.account", burst)
    assert "secret" not in site.page("/", 500)
    assert "log has its details" in site.page("/", 500)


def test_an_address_that_nothing_is_at_is_named(site):
    """It said "Not Found"."""
    assert "There is nothing at this address, got /nowhere." in site.page("/nowhere", 404)


def test_nothing_is_awaited_of_what_is_not_judged(site):
    """It said that there is nothing to decide before there is a verdict."""
    assert "Nothing to decide: it is not judged." in site.page(f"/series/{Seed('excluded').uid}")
