"""Passwords of a real directory let people in: OpenLDAP's slapd."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from qagate.domain.person import Role
from qagate.errors import SettingsError
from qagate.settings import Ldap, Settings
from qagate.store import people as stored
from qagate.store.database import Database
from qagate.web.app import create_app
from qagate.web.ldap import LdapDirectory
from tests.peers import slapd
from tests.unit.web import people

MINE = {"url": "ldaps://x", "people": "dc=x", "roles": {}}


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Iterator[slapd.Slapd]:
    """Three people; grace reads and measures, alan is in no group that has a role, ada has a password here, too."""
    if not slapd.available():
        pytest.skip("there is no slapd here")
    pytest.importorskip("ldap3")
    known = {"grace": "cobol forever", "alan": "enigma enigma", "ada": "another password"}
    groups = {"readers": ["grace", "ada"], "physics": ["grace"], "cooks": ["alan"]}
    with slapd.Slapd(tmp_path_factory.mktemp("slapd"), people=known, groups=groups) as server:
        yield server


@pytest.fixture
def site(tmp_path, directory) -> Iterator[tuple[TestClient, Database]]:
    """A node that asks it."""
    ldap = {
        "url": directory.url, "start_tls": False, "bind_dn": slapd.ADMIN, "bind_password": slapd.SECRET,
        "people": f"ou=people,{slapd.SUFFIX}", "groups": f"ou=groups,{slapd.SUFFIX}",
        "roles": {slapd.group("readers").upper(): "reviewer", slapd.group("physics"): "physicist"},
    }  # fmt: skip
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path, "reserve_mb": 0}, "people": {"ldap": ldap}})
    database = Database.open(settings.database_url)
    people.add(database, "ada", Role.ADMIN)
    with TestClient(create_app(settings, database)) as client:
        yield client, database
    database.close()


def role_of(database: Database, name: str) -> str:
    with database.read() as session:
        row = stored.find(session, name)
        return row.role if row else ""


@pytest.mark.peers
def test_who_comes_in_and_as_what(site):
    client, database = site
    assert people.log_in(client, "grace", "cobol forever").status_code == 303
    assert client.get("/api/v1/me").json()["role"] == "physicist"  # the highest of her groups
    client.cookies.clear()
    assert people.log_in(client, "Grace", "cobol forever").status_code == 303  # the same person again
    assert role_of(database, "grace") == "physicist"
    client.cookies.clear()
    assert people.log_in(client, "ada", people.PASSWORD).status_code == 303  # who has a password here, by that one


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("grace", "wrong", "Name or password is not right"),
        ("grace", "", "Name or password is not right"),  # a bind without a password would succeed
        ("nobody", "cobol forever", "Name or password is not right"),
        ("gr*", "cobol forever", "Name or password is not right"),  # no filter is smuggled in
        ("*)(uid=grace", "cobol forever", "Name or password is not right"),
        ("ada", "another password", "Name or password is not right"),  # the directory cannot take her over
        ("alan", "enigma enigma", "gives you no role here"),
    ],
)
def test_who_does_not(site, name, password, said):
    client, database = site
    answer = people.log_in(client, name, password)
    assert answer.status_code == 401
    assert said in answer.text
    assert role_of(database, "grace") == role_of(database, "alan") == ""


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_directory_that_does_not_answer(site, directory):
    client, _ = site
    directory.stop()  # the last test that needs it
    answer = people.log_in(client, "grace", "cobol forever")
    gc.collect()  # ldap3 leaves the socket of a failed attempt to it
    assert answer.status_code == 401
    assert "directory cannot be asked now" in answer.text
    client.cookies.clear()
    assert people.log_in(client, "ada", people.PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "ldap://ldap.hospital.example", "start_tls": False}, "in the clear"),
        ({"url": "http://x"}, "pattern"),
        ({"find": "uid=x"}, "pattern"),
    ],
)
def test_settings_that_are_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        Ldap.model_validate(MINE | change)


def test_without_ldap3_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "ldap3", None)
    with pytest.raises(SettingsError, match=r"qagate\[ldap\]"):
        LdapDirectory(Ldap.model_validate(MINE))
