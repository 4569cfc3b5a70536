"""`qagate user` and `qagate token`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from qagate.cli.commands import app
from qagate.settings import load
from qagate.store import audit, credentials, people
from qagate.store.database import Database


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node where nobody is set up."""
    path = tmp_path / "qagate.toml"
    path.write_text('[storage]\ndata_dir = "data"\n[web]\npublic_url = "https://qa.example/"\n')
    Database.open(load(path, {}).database_url).close()
    return path


def run(config: Path, *arguments: str, typed: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "-c", str(config)], input=typed)
    assert result.exit_code == code, result.output
    return result.output


def test_a_person_from_beginning_to_end(config):
    said = run(config, "user", "add", "Ada", "--role", "admin")
    assert "ada is admin" in said
    assert "https://qa.example/setup" in said
    run(config, "user", "add", "bob", "--password", typed="correct horse battery\n")
    run(config, "user", "role", "bob", "reviewer")
    run(config, "user", "disable", "bob")
    assert "disabled" in run(config, "user", "list")
    run(config, "user", "disable", "bob", "--undo")
    run(config, "user", "password", "bob", "--password", typed="another battery staple\n")
    database = Database.open(load(config, {}).database_url)
    with database.read() as session:
        row = people.get(session, "bob")
        assert row.role == "reviewer"
        assert credentials.matches("another battery staple", row.password_hash)
        acts = [act.what for act in audit.listing(session, audit.Search(who="console"))]
    database.close()
    assert acts == ["password_changed", "person_enabled", "person_disabled", "role_changed", "person_added",
                    "person_invited", "person_added"]  # fmt: skip


def test_a_token_is_shown_once(config):
    run(config, "user", "add", "lab", "--program", "--role", "reviewer")
    secret = run(config, "token", "add", "lab", "orthanc", "--scope", "read", "--scope", "decide").strip()
    assert secret.startswith("qg_")
    listed = run(config, "token", "list")
    assert "lab/orthanc" in listed
    assert "decide read" in listed
    assert secret not in listed
    run(config, "token", "revoke", "1")
    assert "revoked" in run(config, "token", "list")


@pytest.mark.parametrize(
    ("arguments", "typed", "says"),
    [
        (("user", "add", "a b"), "", "got 'a b'"),
        (("user", "role", "nobody", "admin"), "", "nobody of this name"),
        (("user", "add", "bob", "--password"), "short\n", "12 to 256 characters, got 5"),
        (("token", "add", "nobody", "x"), "", "nobody of this name"),
        (("token", "revoke", "7"), "", "got 7"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(config, arguments, typed, says):
    said = run(config, *arguments, typed=typed, code=2)
    assert says in said
    assert "Traceback" not in said


def test_the_first_person_may_come_before_the_node(tmp_path):
    path = tmp_path / "qagate.toml"
    path.write_text('[storage]\ndata_dir = "data"\n')
    assert "ada is admin" in run(path, "user", "add", "ada", "--role", "admin")
    assert "ada" in run(path, "user", "list")


def test_a_token_that_would_outlive_the_calendar_is_refused_in_words(tmp_path):
    result = CliRunner().invoke(app, ["token", "add", "p", "t", "--days", "3000000"])
    assert (result.exit_code, "36500" in result.output) == (2, True)
